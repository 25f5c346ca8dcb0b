import { algorithmOf, digestOf } from '../core/digest.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { RegistryError } from '../core/errors.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import { withRepository } from './wrong-content.ts';

/** Bytes. Image configs are a few kilobytes; what is larger than this is no config. */
const LARGEST = 8 * 1024 * 1024;

/**
 * A small blob, whole and verified: an image config, the text of an artifact.
 * @throws RegistryError SIZE_INVALID, DIGEST_INVALID for content that is not what the descriptor
 *   says, or that is larger than anything that belongs in memory
 */
export async function readSmallBlob(
  source: Source,
  repository: Repository,
  { digest, size }: Descriptor,
): Promise<Uint8Array> {
  if (size > LARGEST) {
    throw new RegistryError('SIZE_INVALID', `${digest} has ${size} bytes, too many for a config`);
  }
  try {
    return await read(source, repository, { digest, size });
  } catch (error) {
    throw withRepository(error, source, repository);
  }
}

async function read(
  source: Source,
  repository: Repository,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<Uint8Array> {
  await using blob = await source.blob(repository, digest);
  const bytes = Buffer.alloc(size);
  let filled = 0;
  for await (const chunk of blob.body) {
    if (filled + chunk.length > size) throw wrongSize(digest, size, filled + chunk.length);
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  if (filled !== size) throw wrongSize(digest, size, filled);
  const actual = digestOf(bytes, algorithmOf(digest));
  if (actual === digest) return bytes;
  throw new RegistryError('DIGEST_INVALID', `what came is ${actual}, not ${digest}`);
}

function wrongSize(digest: string, size: number, came: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `${digest}: ${came} bytes came, not ${size}`);
}
