import type { Digest } from '../core/digest.ts';
import { HOSTED } from '../core/hosted.ts';
import type { Repository, Tag } from '../core/reference.ts';
import { repositories } from '../store/catalog.ts';
import type { Link } from '../store/links.ts';
import type { Records } from '../store/records.ts';
import type { ContentStore } from '../store/store.ts';
import { Manifests } from './manifests.ts';
import { isBlob, referencesOf, type References, type Sparse } from './references.ts';

export interface CheckOptions {
  readonly records: Records;
  readonly content: ContentStore;
  /** What manifests may lack. */
  readonly sparse: Sparse;
}

/** Something that a repository should have and has not. */
export interface Missing {
  readonly repository: Repository;
  /** What needs it: a tag, a manifest that lists it or is referred to by it, or the repository itself. */
  readonly neededBy: Tag | Digest | undefined;
  readonly digest: Digest;
  /**
   * `content`: it is linked and not stored. `link`: nothing links it. `referrer`: it is not listed as
   * one. `subject`: it is listed as a referrer of what it does not refer to.
   */
  readonly lacks: 'content' | 'link' | 'referrer' | 'subject';
}

/**
 * Follows every tag, link and reference of the repositories that live here, and tells what leads
 * nowhere. Changes nothing but that a manifest which is read and found wrong is set aside.
 * @throws RegistryError STORAGE_UNAVAILABLE, or Error of Node
 */
export async function* check(options: CheckOptions): AsyncGenerator<Missing> {
  for (const repository of await repositories(options.records.paths, HOSTED)) {
    yield* checkTags(options, repository);
    yield* checkLinks(options, repository);
    yield* checkReferrers(options, repository);
  }
}

async function* checkTags(
  { records }: CheckOptions,
  repository: Repository,
): AsyncGenerator<Missing> {
  for (const tag of (await records.tags(repository)) ?? []) {
    const digest = (await records.tag(repository, tag))?.descriptor.digest;
    if (digest === undefined) continue;
    const link = await records.link(repository, digest);
    if (link?.mediaType === undefined) yield { repository, neededBy: tag, digest, lacks: 'link' };
  }
}

async function* checkLinks(options: CheckOptions, repository: Repository): AsyncGenerator<Missing> {
  const { records, content } = options;
  const manifests = new Manifests(options);
  for await (const digest of records.links(repository)) {
    const link = await records.link(repository, digest);
    if (link === undefined) continue;
    const manifest = await manifests.get(repository, digest);
    const whole = link.mediaType === undefined || manifest !== undefined;
    if (!whole || (await content.size(digest)) !== link.size) {
      yield { repository, neededBy: undefined, digest, lacks: 'content' };
    }
    if (manifest === undefined) continue;
    yield* checkReferences(options, repository, digest, referencesOf(manifest));
  }
}

async function* checkReferences(
  { records, sparse }: CheckOptions,
  repository: Repository,
  neededBy: Digest,
  { blobs, children, subject }: References,
): AsyncGenerator<Missing> {
  const held = (digest: Digest): Promise<Link | undefined> => records.link(repository, digest);
  for (const digest of sparse === 'all' ? [] : blobs) {
    const link = await held(digest);
    if (link === undefined || !isBlob(link)) yield { repository, neededBy, digest, lacks: 'link' };
  }
  for (const digest of sparse === 'none' ? children : []) {
    if ((await held(digest)) === undefined) yield { repository, neededBy, digest, lacks: 'link' };
  }
  if (subject === undefined) return;
  const listed = await records.referrers(repository, subject);
  if (listed.some(({ digest }) => digest === neededBy)) return;
  yield { repository, neededBy: subject, digest: neededBy, lacks: 'referrer' };
}

async function* checkReferrers(
  options: CheckOptions,
  repository: Repository,
): AsyncGenerator<Missing> {
  const { records } = options;
  const manifests = new Manifests(options);
  for await (const neededBy of records.subjects(repository)) {
    for (const { digest } of await records.referrers(repository, neededBy)) {
      const link = await records.link(repository, digest);
      if (link?.mediaType === undefined) {
        yield { repository, neededBy, digest, lacks: 'link' };
        continue;
      }
      const manifest = await manifests.get(repository, digest);
      if (manifest === undefined || referencesOf(manifest).subject === neededBy) continue;
      yield { repository, neededBy, digest, lacks: 'subject' };
    }
  }
}
