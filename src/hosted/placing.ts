import type { Descriptor } from '../core/descriptor.ts';
import type { Repository, Tag } from '../core/reference.ts';
import type { Change } from '../store/journal.ts';
import { confirmed } from '../store/tags.ts';
import type { Records } from '../store/records.ts';
import type { Pushed } from './pushed.ts';
import { isBlob } from './references.ts';

export interface PlacingOptions {
  readonly records: Pick<Records, 'link' | 'tag' | 'use' | 'paths'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * The small files that make a manifest one of the repository: its link, its tags, its entry among the
 * referrers of its subject. With the repository's lock and the digest's.
 */
export async function placing(
  parts: PlacingOptions,
  repository: Repository,
  { descriptor, subject }: Pushed,
  tags: readonly Tag[],
): Promise<readonly Change[]> {
  const { records } = parts;
  const { mediaType, digest, size } = descriptor;
  const link = await records.link(repository, digest);
  const blob = link !== undefined && isBlob(link);
  const name = records.paths.link(repository, digest);
  const moved = await Promise.all(
    [...new Set(tags)].map((tag) => tagging(parts, repository, tag, { mediaType, digest, size })),
  );
  const referrer = subject && records.paths.referrer(repository, subject.digest, digest);
  return [
    { name, text: JSON.stringify({ size, mediaType, ...(blob && { blob }) }) },
    ...(referrer === undefined ? [] : [{ name: referrer, text: JSON.stringify(descriptor) }]),
    ...moved,
  ];
}

async function tagging(
  { records, now }: PlacingOptions,
  repository: Repository,
  tag: Tag,
  descriptor: Descriptor,
): Promise<Change> {
  const before = await records.tag(repository, tag);
  if (before !== undefined && before.descriptor.digest !== descriptor.digest) {
    // From now on, perhaps, without a tag: its time begins.
    await records.use(repository, before.descriptor.digest, now());
  }
  const record = confirmed(before, descriptor, now());
  return { name: records.paths.tag(repository, tag), text: JSON.stringify(record) };
}
