import { ByteReader, type Bytes } from './bytes.ts';
import { damaged } from './damage.ts';
import { gunzip, isGzip } from './gzip.ts';
import { isZstd, unzstd } from './zstd.ts';

/** `none` is a tar as it is, or nothing at all. */
export type Compression = 'gzip' | 'zstd' | 'none';

/** What compressed bytes stand for. Disposed, it lets go of its input, read or not. */
export interface Decompressed extends AsyncDisposable {
  readonly compression: Compression;
  /** Read once. Asks the input for a chunk only when all that came before has been read. */
  readonly bytes: Bytes;
  /** Bytes that the input has handed over by now: what has been read stood in those. */
  readonly received: number;
  /** Reads all that is left, so that what is checked at the end of the input, and of its members, is checked. */
  drain(): Promise<void>;
}

const MAGIC_LENGTH = 6;

/** Formats that some tools once read, and that no registry's layers are in. */
const FOREIGN: readonly (readonly [name: string, magic: string])[] = [
  ['xz', 'fd377a585a00'],
  ['bzip2', '425a68'],
];

/**
 * Decompresses by what the bytes are, whatever somebody calls them: media types of layers lie.
 * @throws RegistryError LAYER_INVALID, here and while reading, for data that is damaged, truncated or foreign
 */
export async function decompress(input: Bytes): Promise<Decompressed> {
  const reader = new ByteReader(input);
  try {
    const start = await reader.peek(MAGIC_LENGTH);
    const compression = compressionOf(start);
    const bytes = decoded(reader, compression);
    return {
      compression,
      bytes,
      drain: () => drain(bytes, reader),
      get received() {
        return reader.received;
      },
      [Symbol.asyncDispose]: async () => {
        await bytes[Symbol.asyncIterator]().return?.();
        await reader[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await reader[Symbol.asyncDispose]();
    throw error;
  }
}

function decoded(reader: ByteReader, compression: Compression): Bytes {
  switch (compression) {
    case 'gzip':
      return gunzip(reader);
    case 'zstd':
      return unzstd(reader);
    case 'none':
      return plain(reader);
  }
}

function compressionOf(start: Uint8Array): Compression {
  if (isGzip(start)) return 'gzip';
  if (isZstd(start)) return 'zstd';
  const hex = Buffer.from(start).toString('hex');
  const foreign = FOREIGN.find(([, magic]) => hex.startsWith(magic));
  if (foreign === undefined) return 'none';
  throw damaged(`the layer is compressed with ${foreign[0]}: gzip, zstd and plain tar are read`);
}

async function drain(bytes: Bytes, reader: ByteReader): Promise<void> {
  for await (const _ of bytes) {
    // Only the end matters.
  }
  // Whatever follows the last member; passed over, it would be checked by nobody.
  for await (const _ of chunksOf(reader)) {
    // To the very end.
  }
}

function plain(reader: ByteReader): Bytes {
  const chunks = chunksOf(reader);
  return reader.canSkip
    ? { [Symbol.asyncIterator]: () => chunks, skip: (count) => reader.jump(count) }
    : chunks;
}

async function* chunksOf(reader: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const chunk = await reader.view(Number.POSITIVE_INFINITY);
    if (chunk.length === 0) return;
    reader.advance(chunk.length);
    yield chunk;
  }
}
