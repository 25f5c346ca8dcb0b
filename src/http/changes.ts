import { parseDigest, type Digest } from '../core/digest.ts';
import { atDigest, parseTag, type Tag } from '../core/reference.ts';
import { LARGEST_PUSHED, type ManifestPut } from '../hosted/hosted.ts';
import { wholeBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { notAllowed, orElse } from './methods.ts';
import type { Writing } from './uploads.ts';

/** Distribution specification, "Pushing Manifests" and "Deleting tags", "Deleting Manifests". */
export async function answerManifestChange(
  exchange: Exchange,
  writing: Writing,
  at: Tag | Digest,
): Promise<void> {
  const { hosted, repository } = writing;
  exchange.reference = at;
  switch (exchange.method) {
    case 'PUT':
      return putManifest(exchange, writing, at);
    case 'DELETE':
      await orElse(['GET', 'HEAD', 'PUT'], () =>
        atDigest(at)
          ? hosted.changes.deleteManifest(repository, at)
          : hosted.changes.deleteTag(repository, at),
      );
      exchange.answer(202, { 'Content-Length': 0 });
      return;
    default:
      throw notAllowed(exchange.method, ['GET', 'HEAD', 'PUT', 'DELETE']);
  }
}

/** Distribution specification, "Deleting Blobs". */
export async function answerBlobChange(
  exchange: Exchange,
  { hosted, repository }: Writing,
  digest: Digest,
): Promise<void> {
  exchange.reference = digest;
  if (exchange.method !== 'DELETE') throw notAllowed(exchange.method, ['GET', 'HEAD', 'DELETE']);
  await orElse(['GET', 'HEAD'], () => hosted.changes.deleteBlob(repository, digest));
  exchange.answer(202, { 'Content-Length': 0 });
}

async function putManifest(
  exchange: Exchange,
  { hosted, repository, query, silence }: Writing,
  at: Tag | Digest,
): Promise<void> {
  const asked = [...new Set(query.getAll('tag').map(parseTag))];
  const named: Pick<ManifestPut, 'digest' | 'tags'> = atDigest(at)
    ? { digest: at, tags: asked }
    : { tags: [at, ...asked.filter((tag) => tag !== at)] };
  const claimed = query.get('digest');
  const bytes = await wholeBody(exchange, LARGEST_PUSHED, silence);
  const { descriptor, subject } = await hosted.changes.putManifest(repository, {
    ...(claimed !== null && { digest: parseDigest(claimed) }),
    ...named,
    bytes,
    contentType: exchange.header('content-type'),
  });
  exchange.answer(201, {
    Location: `/v2/${repository.path}/manifests/${descriptor.digest}`,
    'Docker-Content-Digest': descriptor.digest,
    ...(asked.length > 0 && { 'OCI-Tag': asked.join(', ') }),
    ...(subject !== undefined && { 'OCI-Subject': subject }),
    'Content-Length': 0,
  });
}
