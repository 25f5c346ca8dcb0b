import type { Digest } from '../../core/digest.ts';
import { pourBlob } from '../../core/pour.ts';
import type { Blob, Write } from '../../core/source.ts';
import type { SmallFile } from '../archive/archive-layout.ts';
import { Output } from '../archive/output.ts';
import { blobPath } from '../archive/oci-layout.ts';
import { padding, tarHeader, TRAILER } from '../archive/tar-write.ts';
import { RegistryError } from '../../core/errors.ts';

export interface BundleContent {
  readonly digest: Digest;
  readonly size: number;
}

export interface WriteOptions {
  /** `-` is standard output where `stdout` is said. */
  readonly file: string;
  /** What comes first, in this order. */
  readonly small: readonly SmallFile[];
  readonly content: readonly BundleContent[];
  /** Its body is held against the digest to the end. */
  readonly open: (digest: Digest) => Promise<Blob>;
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly stdout?: Write | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a tar, which appears at its place when it is whole and on the disk.
 * @throws RegistryError STORAGE_UNAVAILABLE, or what reading the content throws; what was there before still is
 */
export async function writeBundle(options: WriteOptions): Promise<{ readonly bytes: number }> {
  const { file, small, content, open, progress, stdout, signal } = options;
  await using output = await Output.open(file, { stdout, signal });
  let end = 0;
  for (const { name, bytes } of small) {
    const padded = [tarHeader({ name, size: bytes.length }), bytes, zeros(bytes.length)];
    const block = Buffer.concat(padded);
    await output.write(block, end);
    end += block.length;
  }
  for (const { digest, size } of content) {
    signal?.throwIfAborted();
    const header = tarHeader({ name: blobPath(digest), size });
    await output.write(header, end);
    end += header.length;
    await copy(await open(digest), size, async (chunk, at) => {
      signal?.throwIfAborted();
      await output.write(chunk, end + at);
      progress?.(chunk.length);
    });
    end += size;
    await output.write(zeros(size), end);
    end += padding(size);
  }
  await output.write(TRAILER, end);
  signal?.throwIfAborted();
  await output.commit();
  return { bytes: end + TRAILER.length };
}

async function copy(
  blob: Blob,
  size: number,
  write: (chunk: Uint8Array, at: number) => Promise<void>,
): Promise<void> {
  await using open = blob;
  if (open.size !== size) {
    throw new RegistryError('SIZE_INVALID', `${open.size} bytes are stored, not ${size}`);
  }
  let position = 0;
  const next = (chunk: Uint8Array): Promise<void> => {
    const at = position;
    position += chunk.length;
    return write(chunk, at);
  };
  await pourBlob(open, next);
}

function zeros(size: number): Buffer {
  return Buffer.alloc(padding(size));
}
