import type { Digest } from '../core/digest.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Tag } from '../core/reference.ts';
import { pushScope } from './scope.ts';
import { requireDigest, type Target } from './upload.ts';

/** Who keeps the list of what refers to the manifest's subject, so that others find it there. */
export async function putManifest(
  { endpoint, repository, brief }: Target,
  at: Tag | Digest,
  { descriptor, bytes }: Manifest,
): Promise<'by-the-registry' | 'by-nobody'> {
  const ask = {
    method: 'PUT',
    kind: 'manifest',
    repository,
    path: `/v2/${repository}/manifests/${at}`,
    headers: { 'content-type': descriptor.mediaType },
    body: bytes,
    scope: pushScope(repository),
  } as const;
  return await endpoint.run(ask, brief(), async (answer) => {
    using read = answer;
    requireDigest(read, descriptor.digest);
    return read.header('oci-subject') === undefined ? 'by-nobody' : 'by-the-registry';
  });
}
