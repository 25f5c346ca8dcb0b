import type { Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import type { Parts } from './parts.ts';

/**
 * Has the repository hold a blob that is content, or becomes content by `bring`. Called with the
 * digest's lock, so that no collection takes the content away in between.
 */
export async function linkBlob(
  { records, watch, now }: Parts,
  repository: Repository,
  digest: Digest,
  size: number,
): Promise<void> {
  watch.linking(digest);
  const link = await records.link(repository, digest);
  const isBlob = link !== undefined && (link.mediaType === undefined || link.blob === true);
  if (isBlob && link.size === size && (await records.use(repository, digest, now()))) return;
  const text = JSON.stringify(
    link?.mediaType === undefined ? { size } : { size, mediaType: link.mediaType, blob: true },
  );
  await records.change([{ name: records.paths.link(repository, digest), text }]);
}
