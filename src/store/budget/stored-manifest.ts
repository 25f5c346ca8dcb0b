import type { Digest } from '../../core/digest.ts';
import { LARGEST_MANIFEST } from '../../core/manifest.ts';
import type { ContentStore } from '../store.ts';

/** The bytes of a stored manifest; `undefined` for what is not here, or too large to be one. */
export async function readManifest(
  content: ContentStore,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  await using blob = await content.open(digest);
  if (blob === undefined || blob.size > LARGEST_MANIFEST) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
