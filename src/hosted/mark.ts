import type { Digest } from '../core/digest.ts';
import { same, type Repository } from '../core/reference.ts';
import type { Link } from '../store/links.ts';
import type { Dated } from '../store/budget/past.ts';
import type { Records } from '../store/records.ts';
import type { Manifests } from './manifests.ts';
import { referencesOf } from './references.ts';

/**
 * Why something stays. `listed`: by an index that stays; `refers`: to a manifest that stays; `needed`: by
 * one; `recent`: it was pushed, mounted or asked for not long ago; `unsure`: a manifest that stays
 * cannot be read, so nobody knows what it needs.
 */
export type Keep = 'tagged' | 'pinned' | 'listed' | 'refers' | 'needed' | 'recent' | 'unsure';

/** A manifest that stays, tagged or not. */
export interface Pin {
  readonly repository: Repository;
  readonly digest: Digest;
}

/** Milliseconds, as `Dated` has them: what was needed later than that stays. */
export interface Since {
  readonly blobs: number;
  readonly manifests: number;
}

export interface MarkOptions {
  readonly records: Records;
  readonly manifests: Manifests;
  readonly dated: Dated;
  readonly pins: readonly Pin[];
  readonly since: Since;
}

/** Everything that a repository holds, and why; `undefined` for what is garbage. */
export type Marks = ReadonlyMap<Digest, { readonly link: Link; readonly keep: Keep | undefined }>;

/** Looks through one repository, from its tags and pins on. */
export async function mark(options: MarkOptions, repository: Repository): Promise<Marks> {
  const { records, manifests } = options;
  const kept = new Map<Digest, Keep>();
  const waiting: Digest[] = [];
  const keep = (digest: Digest, why: Keep): void => {
    if (kept.has(digest)) return;
    kept.set(digest, why);
    waiting.push(digest);
  };
  for await (const [digest, why] of roots(options, repository)) keep(digest, why);
  let unsure = false;
  // A list and no recursion: indexes may be nested as deeply as anybody likes.
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    const link = await records.link(repository, digest);
    if (link?.mediaType === undefined) continue;
    const manifest = await manifests.get(repository, digest);
    if (manifest === undefined) {
      unsure = true;
      continue;
    }
    const { blobs, children } = referencesOf(manifest);
    for (const child of children) keep(child, 'listed');
    for (const blob of blobs) keep(blob, 'needed');
    for (const referrer of await records.referrers(repository, digest)) {
      keep(referrer.digest, 'refers');
    }
  }
  return held(options, repository, kept, unsure);
}

async function* roots(
  { records, pins, dated, since }: MarkOptions,
  repository: Repository,
): AsyncGenerator<readonly [Digest, Keep]> {
  for (const tag of (await records.tags(repository)) ?? []) {
    const record = await records.tag(repository, tag);
    if (record !== undefined) yield [record.descriptor.digest, 'tagged'];
  }
  for (const pin of pins) if (same(pin.repository, repository)) yield [pin.digest, 'pinned'];
  for await (const digest of records.links(repository)) {
    const usedAt = await records.usedAt(repository, digest);
    const link = usedAt !== undefined && dated.of(usedAt) >= since.manifests;
    if (link && (await records.link(repository, digest))?.mediaType !== undefined) {
      yield [digest, 'recent'];
    }
  }
}

async function held(
  { records, dated, since }: MarkOptions,
  repository: Repository,
  kept: ReadonlyMap<Digest, Keep>,
  unsure: boolean,
): Promise<Marks> {
  const marks = new Map<Digest, { readonly link: Link; readonly keep: Keep | undefined }>();
  for await (const digest of records.links(repository)) {
    const link = await records.link(repository, digest);
    if (link === undefined) continue;
    const usedAt = (await records.usedAt(repository, digest)) ?? 0;
    const recent = dated.of(usedAt) >= since.blobs ? 'recent' : undefined;
    marks.set(digest, {
      link,
      keep: kept.get(digest) ?? recent ?? (unsure ? 'unsure' : undefined),
    });
  }
  return marks;
}
