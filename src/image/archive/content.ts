import { algorithmOf, type Algorithm, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { runningHash } from '../../core/hashing.ts';
import { spanOf, type Range } from '../../core/range.ts';
import type { Blob } from '../../core/source.ts';
import type { Buffers } from '../../store/buffers.ts';
import { pour, type Reader } from '../../store/stream.ts';
import { streamed } from '../../store/streamed.ts';

/** Bytes that `chunksOf` reads at a time. */
const CHUNK = 256 * 1024;

/** A file, or a file's bytes in an archive, open until it is disposed. */
export interface Content extends Reader, AsyncDisposable {
  /** Bytes. */
  readonly size: number;
}

/**
 * Files by path, `/` between the parts: a folder, or a tar. `undefined` for what is not there or is
 * no file.
 */
export interface Files extends AsyncDisposable {
  /** What people call it. */
  readonly name: string;
  open(path: string): Promise<Content | undefined>;
}

/**
 * The content as a blob, which owns it from then on. The whole of it is held against the digest
 * while it is read; a part cannot be.
 * @throws RegistryError RANGE_INVALID; the body throws DIGEST_INVALID
 */
export function blobOf(
  content: Content,
  digest: Digest,
  place: string,
  buffers: Buffers,
  range?: Range,
): Blob {
  const { size } = content;
  const span = spanOf(range, size);
  const whole = span.start === 0 && span.end === size;
  const hash = whole ? runningHash(algorithmOf(digest), size) : undefined;
  return streamed({
    size,
    span,
    buffers,
    reader: content,
    see: hash && ((chunk) => hash.update(chunk)),
    finished: async () => {
      if (hash !== undefined && (await hash.digest()) !== digest) throw damaged(place, digest);
    },
    release: async () => {
      hash?.[Symbol.dispose]();
      await content[Symbol.asyncDispose]();
    },
  });
}

/**
 * Small content, whole, in memory. Disposes it.
 * @throws RegistryError SIZE_INVALID for more than `most` bytes
 */
export async function bytesOf(content: Content, most: number, place: string): Promise<Buffer> {
  await using open = content;
  if (open.size > most) {
    throw new RegistryError(
      'SIZE_INVALID',
      `${place}: ${open.size} bytes where ${most} are allowed`,
    );
  }
  const bytes = Buffer.alloc(open.size);
  for (let position = 0; position < bytes.length;) {
    const chunk = await open.read(position, bytes.subarray(position));
    if (chunk.buffer !== bytes.buffer) bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

/** All of it from the front, each chunk in memory of its own; it stays open. */
export async function* chunksOf(content: Content): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < content.size;) {
    const into = Buffer.allocUnsafe(Math.min(CHUNK, content.size - position));
    const chunk = await content.read(position, into);
    position += chunk.length;
    yield chunk;
  }
}

/** The digest of all of it; it stays open. */
export async function hashOf(
  content: Content,
  buffers: Buffers,
  algorithm: Algorithm = 'sha256',
): Promise<Digest> {
  const { size } = content;
  using hash = runningHash(algorithm, size);
  const write = async (chunk: Uint8Array): Promise<void> => hash.update(chunk);
  await pour(content, { start: 0, end: size }, buffers, write);
  return hash.digest();
}

export function damaged(place: string, digest: Digest): RegistryError {
  return new RegistryError(
    'DIGEST_INVALID',
    `${place} is damaged: what it has as ${digest} is something else`,
  );
}
