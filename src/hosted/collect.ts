import { stat } from 'node:fs/promises';
import type { Digest } from '../core/digest.ts';
import { HOSTED, isHosted } from '../core/hosted.ts';
import { formatReference, type Repository } from '../core/reference.ts';
import type { Uses } from '../store/budget/uses.ts';
import { repositories } from '../store/catalog.ts';
import type { WatchableLinks } from '../store/links.ts';
import { absent } from '../store/small-file.ts';
import { storedDigests } from '../store/stored.ts';
import { DigestSet } from './digest-set.ts';
import type { Manifests } from './manifests.ts';
import { mark, type Keep, type Marks, type Pin, type Since } from './mark.ts';
import type { Parts } from './parts.ts';
import { referencesOf } from './references.ts';
import { subjectsOf } from './subjects.ts';

export interface CollectOptions extends Parts {
  readonly manifests: Manifests;
  readonly uses: Uses;
  /** What mirrored repositories are known to hold. */
  readonly mirrored: WatchableLinks;
  readonly pins: readonly Pin[];
  /** Milliseconds for which what no manifest lists stays: longer than any push takes. */
  readonly grace: number;
  /** Milliseconds for which a manifest without a tag stays after it was last pushed or asked for by digest. */
  readonly untaggedFor: number;
  /** `report`: changes nothing, and needs no lock on the store. */
  readonly mode: 'collect' | 'report';
  /** No repository that lives here holds the content any more. */
  readonly onReleased?: (digest: Digest) => void;
  readonly signal?: AbortSignal;
}

/** What a collection found, one by one. Sizes in bytes. */
export type Collected =
  /** A repository holds it no more, or would not. */
  | {
      readonly type: 'removed';
      readonly repository: Repository;
      readonly digest: Digest;
      readonly kind: 'manifest' | 'blob';
      readonly size: number;
    }
  /** What a repository goes on holding, by reason. */
  | {
      readonly type: 'kept';
      readonly repository: Repository;
      readonly reasons: ReadonlyMap<Keep, number>;
    }
  /** Content that no repository, hosted or mirrored, holds any more. */
  | { readonly type: 'freed'; readonly digest: Digest; readonly size: number }
  /** The same, but somebody uses it, who may be about to have it held: it is left to the next collection. */
  | { readonly type: 'in-use'; readonly digest: Digest; readonly size: number };

/** Links removed in one go before others get a turn at the repository. */
const BATCH = 100;

/**
 * Removes what nothing leads to any more: first from the repositories that live here, then, of the
 * content, what no repository holds. Runs beside pushes and pulls. One at a time.
 * @throws Error of Node, or what the signal gives as its reason
 */
export async function* collect(options: CollectOptions): AsyncGenerator<Collected> {
  const { records, locks, watch, dated, grace, untaggedFor, signal } = options;
  using _watching = watch.begin();
  // A link that was on its way before has not been noted: it is to be there before anybody looks.
  await locks.digestsPassed();
  const now = dated.now();
  const since: Since = { blobs: now - grace, manifests: now - Math.max(grace, untaggedFor) };
  const removed = new Set<string>();
  for (const repository of await repositories(records.paths, HOSTED)) {
    signal?.throwIfAborted();
    for await (const found of sweep(options, repository, since)) {
      if (found.type === 'removed') removed.add(formatReference(repository, found.digest));
      yield found;
    }
    // The disk has to have forgotten the links before the content goes.
    if (options.mode === 'collect') await records.settle(repository);
  }
  if (options.mode === 'collect') await records.tidy();
  yield* free(options, since, removed);
}

async function* sweep(
  options: CollectOptions,
  repository: Repository,
  since: Since,
): AsyncGenerator<Collected> {
  const { locks, watch, mode, signal } = options;
  const look = async () => {
    const generation = watch.generation(repository);
    return { generation, marks: await mark({ ...options, since }, repository) };
  };
  let { generation, marks } = await look();
  const reasons = reasonsOf(marks);
  const candidates = await parentsFirst(options, repository, marks);
  for (let start = 0; start < candidates.length; start += BATCH) {
    signal?.throwIfAborted();
    const batch = candidates.slice(start, start + BATCH);
    const gone = await locks.repository(repository, async () => {
      // Whatever was pushed since may lead to some of it again.
      if (watch.generation(repository) !== generation) ({ generation, marks } = await look());
      const outcomes: Digest[] = [];
      for (const digest of batch) {
        const found = marks.get(digest);
        if (found === undefined || found.keep !== undefined) continue;
        if (mode === 'collect' && !(await remove(options, repository, digest, since))) continue;
        outcomes.push(digest);
      }
      return outcomes;
    });
    for (const digest of gone) {
      const link = marks.get(digest)?.link;
      const kind = link?.mediaType === undefined ? 'blob' : 'manifest';
      yield { type: 'removed', repository, digest, kind, size: link?.size ?? 0 };
    }
  }
  yield { type: 'kept', repository, reasons };
}

/**
 * What is garbage, and nothing of it before a manifest that lists it: who is stopped half-way leaves
 * none that lacks something. A list and no recursion, as in `mark`.
 */
async function parentsFirst(
  { manifests }: CollectOptions,
  repository: Repository,
  marks: Marks,
): Promise<readonly Digest[]> {
  const isGarbage = (digest: Digest): boolean =>
    marks.has(digest) && marks.get(digest)?.keep === undefined;
  const childrenFirst: Digest[] = [];
  const seen = new Set<Digest>();
  for (const [root, { link }] of marks) {
    const waiting: (Digest | { readonly through: Digest })[] = [];
    if (isGarbage(root) && link.mediaType !== undefined) waiting.push(root);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (typeof next === 'object') {
        childrenFirst.push(next.through);
      } else if (!seen.has(next) && isGarbage(next)) {
        seen.add(next);
        const manifest = await manifests.get(repository, next);
        waiting.push({ through: next });
        if (manifest !== undefined) waiting.push(...referencesOf(manifest).children);
      }
    }
  }
  const listed = childrenFirst.toReversed();
  return [...listed, ...[...marks.keys()].filter((one) => isGarbage(one) && !seen.has(one))];
}

function reasonsOf(marks: Marks): ReadonlyMap<Keep, number> {
  const reasons = new Map<Keep, number>();
  for (const { keep } of marks.values()) {
    if (keep !== undefined) reasons.set(keep, (reasons.get(keep) ?? 0) + 1);
  }
  return reasons;
}

/** Takes one link away, unless somebody has shown meanwhile that it is needed. With the repository's lock. */
async function remove(
  { records, locks, watch, manifests, dated }: CollectOptions,
  repository: Repository,
  digest: Digest,
  since: Since,
): Promise<boolean> {
  return locks.digest(digest, async () => {
    using _condemned = watch.condemn(repository, digest);
    const link = await records.link(repository, digest);
    const usedAt = await records.usedAt(repository, digest);
    if (link === undefined || usedAt === undefined) return false;
    if (dated.of(usedAt) >= (link.mediaType === undefined ? since.blobs : since.manifests))
      return false;
    const name = records.paths.link(repository, digest);
    const subjects = await subjectsOf({ manifests, records }, repository, digest);
    const entries = subjects.map((subject) => records.paths.referrer(repository, subject, digest));
    // Together, as a referrer that is not listed, and a list that leads nowhere, are both wrong.
    if (entries.length === 0) await records.forget(name);
    else await records.change([...entries, name].map((one) => ({ name: one, text: undefined })));
    return true;
  });
}

async function* free(
  options: CollectOptions,
  since: Since,
  removed: ReadonlySet<string>,
): AsyncGenerator<Collected> {
  const { records, locks, signal } = options;
  const [hosted, mirrored] = [new DigestSet(), new DigestSet()];
  using _watching = options.mirrored.watch((digest) => mirrored.add(digest));
  await addLinked({ hosted, mirrored }, options, removed);
  for await (const digest of storedDigests(records.paths)) {
    signal?.throwIfAborted();
    if (hosted.has(digest)) continue;
    const found = await locks.digest(digest, () => freeOne(options, digest, since, mirrored));
    if (found !== undefined) yield found;
  }
}

/** Removes content unless there is a reason for it to stay. With the digest's lock. */
async function freeOne(
  { records, content, watch, uses, mode, dated, onReleased }: CollectOptions,
  digest: Digest,
  since: Since,
  mirrored: DigestSet,
): Promise<Collected | undefined> {
  await uses.removal(digest);
  const found = await absent(stat(records.paths.blob(digest)));
  if (found === undefined || watch.linkedMeanwhile(digest)) return undefined;
  if (mode === 'collect') onReleased?.(digest);
  // What a mirror has just brought is linked a little later.
  const recent = Math.max(dated.of(found.mtimeMs), dated.of(found.ctimeMs)) >= since.blobs;
  if (recent || mirrored.has(digest)) return undefined;
  // From the look at links until the removal has begun nothing is waited for: whoever uses it from then
  // on waits for the removal, and whoever had it linked while he used it has told so.
  const gone =
    mode === 'report'
      ? !uses.has(digest)
      : await uses.remove(digest, async () => {
          await content.remove(digest);
          return true;
        });
  return { type: gone === true ? 'freed' : 'in-use', digest, size: found.size };
}

/** Adds what any repository holds, as the disk has it. */
async function addLinked(
  linked: { readonly hosted: DigestSet; readonly mirrored: DigestSet },
  { records, mode, signal }: CollectOptions,
  removed: ReadonlySet<string>,
): Promise<void> {
  for (const repository of await repositories(records.paths)) {
    signal?.throwIfAborted();
    const lives = isHosted(repository);
    for await (const digest of records.links(repository)) {
      const pretended = mode === 'report' && lives;
      if (pretended && removed.has(formatReference(repository, digest))) continue;
      linked[lives ? 'hosted' : 'mirrored'].add(digest);
    }
  }
}
