import { crc32, createInflateRaw } from 'node:zlib';
import type { ByteReader } from './bytes.ts';
import { damaged, truncated } from './damage.ts';
import { CHUNK_SIZE, Decoder } from './decoder.ts';

/** Compressed bytes that are decompressed at a time. */
const PIECE = 64 * 1024;

const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const LONGEST_TEXT = 64 * 1024;
const HEADER = 'within a gzip header';

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/**
 * Every member of a gzip file (RFC 1952), each checked against its CRC-32 and length. What follows the last one
 * and is not another is ignored, as gzip and Go do for zeros and gzip does for anything.
 * @throws RegistryError LAYER_INVALID
 */
export async function* gunzip(input: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createInflateRaw({ chunkSize: CHUNK_SIZE });
  using decoder = new Decoder('gzip', stream);
  do {
    await passHeader(input);
    yield* inflate(input, decoder);
    stream.reset();
    decoder.restarted();
  } while (isGzip(await input.peek(2)));
}

async function* inflate(
  input: ByteReader,
  decoder: Decoder,
): AsyncGenerator<Uint8Array, void, undefined> {
  let [checksum, length] = [0, 0];
  while (!decoder.ended) {
    const piece = await input.view(PIECE);
    if (piece.length === 0) throw truncated('within gzip data');
    const before = decoder.used;
    for await (const chunk of decoder.decode(piece)) {
      checksum = crc32(chunk, checksum);
      length = (length + chunk.length) % 2 ** 32;
      yield chunk;
    }
    input.advance(decoder.used - before);
  }
  const trailer = await exactly(input, 8, 'before the checksum of gzip data');
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  if (view.getUint32(0, true) !== checksum || view.getUint32(4, true) !== length) {
    throw damaged('the gzip data is corrupt: its checksum or length does not match');
  }
}

async function passHeader(input: ByteReader): Promise<void> {
  const header = await exactly(input, 10, HEADER);
  const [, , method = 0, flags = 0] = header;
  if (method !== 8 || (flags & FLAG.reserved) !== 0) {
    throw damaged('the gzip data is corrupt: its header names an unknown method or flag');
  }
  if ((flags & FLAG.extra) !== 0) {
    const [low = 0, high = 0] = await exactly(input, 2, HEADER);
    await exactly(input, low + high * 256, HEADER);
  }
  if ((flags & FLAG.name) !== 0) await passText(input);
  if ((flags & FLAG.comment) !== 0) await passText(input);
  if ((flags & FLAG.headerCrc) !== 0) await exactly(input, 2, HEADER);
}

async function passText(input: ByteReader): Promise<void> {
  let passed = 0;
  while (passed < LONGEST_TEXT) {
    const bytes = await input.view(LONGEST_TEXT);
    if (bytes.length === 0) throw truncated(HEADER);
    const end = bytes.indexOf(0);
    input.advance(end < 0 ? bytes.length : end + 1);
    if (end >= 0) return;
    passed += bytes.length;
  }
  throw damaged('the gzip data is corrupt: a name in its header does not end');
}

async function exactly(input: ByteReader, count: number, place: string): Promise<Uint8Array> {
  const bytes = await input.take(count);
  if (bytes.length < count) throw truncated(place);
  return bytes;
}
