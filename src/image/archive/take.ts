import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, Hasher } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { pourBlob } from '../../core/pour.ts';
import type { Content } from '../../core/sink.ts';

export interface TakeOptions {
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has `write` take the whole content, in order, and settles once all of it was right.
 * @throws RegistryError SIZE_INVALID before any byte too many is written, DIGEST_INVALID at the end
 */
export async function take(
  descriptor: Descriptor,
  content: Content,
  write: (bytes: Uint8Array, position: number) => Promise<void>,
  { progress, signal }: TakeOptions,
): Promise<void> {
  const { digest, size } = descriptor;
  signal?.throwIfAborted();
  await using blob = await content();
  if (blob.size !== size || blob.span.end - blob.span.start !== size) {
    throw new RegistryError(
      'SIZE_INVALID',
      `${digest} has ${blob.size} bytes, not the ${size} that its manifest says`,
    );
  }
  const hasher = new Hasher(algorithmOf(digest));
  let position = 0;
  const next = async (chunk: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    if (position + chunk.length > size) {
      throw new RegistryError('SIZE_INVALID', `${digest} has more than its ${size} bytes`);
    }
    hasher.update(chunk);
    // A blob may hand over the next chunk before this one is written.
    const at = position;
    position += chunk.length;
    await write(chunk, at);
    progress?.(chunk.length);
  };
  await pourBlob(blob, next);
  if (position !== size) {
    throw new RegistryError('SIZE_INVALID', `${digest} ended after ${position} of ${size} bytes`);
  }
  if (hasher.digest() !== digest) {
    throw new RegistryError('DIGEST_INVALID', `the content of ${digest} is something else`);
  }
}
