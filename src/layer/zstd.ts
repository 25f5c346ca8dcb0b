import { createZstdDecompress } from 'node:zlib';
import type { ByteReader } from './bytes.ts';
import { damaged, truncated } from './damage.ts';
import { CHUNK_SIZE, Decoder } from './decoder.ts';

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const LARGEST_BLOCK = 128 * 1024;
const WITHIN = 'within zstd data';

export function isZstd(start: Uint8Array): boolean {
  const magic = magicOf(start);
  return magic === FRAME || isSkippable(magic);
}

/**
 * Every frame (RFC 8878 section 3), skippable ones passed over. Frames and blocks are followed here and handed to the
 * decoder block by block, never two frames at once: Node's decoder takes the end of a frame within
 * what it was given for the end of everything, without an error.
 * @throws RegistryError LAYER_INVALID
 */
export async function* unzstd(input: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  using decoder = new Decoder('zstd', createZstdDecompress({ chunkSize: CHUNK_SIZE }));
  for (;;) {
    const start = await input.peek(4);
    if (start.length === 0) return;
    if (start.length < 4) throw truncated(WITHIN);
    const magic = magicOf(start);
    if (magic === FRAME) yield* decompressFrame(input, decoder);
    else if (isSkippable(magic)) await passFrame(input);
    else throw damaged('the zstd data is corrupt: what follows a frame is not another');
  }
}

async function* decompressFrame(
  input: ByteReader,
  decoder: Decoder,
): AsyncGenerator<Uint8Array, void, undefined> {
  const [, , , , descriptor] = await input.peek(5);
  if (descriptor === undefined) throw truncated(WITHIN);
  yield* decoder.decode(await exactly(input, headerLength(descriptor)));
  for (let last = false; !last;) {
    const header = await input.peek(3);
    if (header.length < 3) throw truncated(WITHIN);
    const [low = 0, middle = 0, high = 0] = header;
    const bits = low | (middle << 8) | (high << 16);
    last = (bits & 1) === 1;
    yield* decoder.decode(await exactly(input, 3 + contentLength((bits >> 1) & 3, bits >> 3)));
  }
  if ((descriptor & 4) !== 0) yield* decoder.decode(await exactly(input, 4));
}

/** RFC 8878 section 3.1.1.1: magic number, descriptor, window, dictionary and content size. */
function headerLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const size = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return 5 + (single ? 0 : 1) + dictionary + size;
}

/** RFC 8878 section 3.1.1.2: a block of one repeated byte holds that byte alone. */
function contentLength(type: number, size: number): number {
  if (type === 3 || size > LARGEST_BLOCK) {
    throw damaged('the zstd data is corrupt: a block has an impossible type or size');
  }
  return type === 1 ? 1 : size;
}

async function passFrame(input: ByteReader): Promise<void> {
  const header = await exactly(input, 8);
  const length = new DataView(header.buffer, header.byteOffset).getUint32(4, true);
  if ((await input.skip(length)) < length) throw truncated(WITHIN);
}

async function exactly(input: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await input.take(count);
  if (bytes.length < count) throw truncated(WITHIN);
  return bytes;
}

function magicOf(start: Uint8Array): number | undefined {
  if (start.length < 4) return undefined;
  return new DataView(start.buffer, start.byteOffset).getUint32(0, true);
}

function isSkippable(magic: number | undefined): boolean {
  return magic !== undefined && magic - (magic & 15) === SKIPPABLE;
}
