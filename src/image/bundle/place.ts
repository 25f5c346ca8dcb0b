import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { isHosted } from '../../core/hosted.ts';
import type { Manifest } from '../../core/manifest.ts';
import {
  atDigest,
  formatReference,
  formatRepository,
  type Reference,
  type Tag,
} from '../../core/reference.ts';
import { syncFolder } from '../../store/durable.ts';
import { importChange, importMarks } from '../../store/imports.ts';
import type { Change } from '../../store/journal.ts';
import { confirmed, type TagRecord } from '../../store/tags.ts';
import path from 'node:path';
import type { Closure } from './closure-parts.ts';
import type { TagMoves } from './query.ts';
import type { PushedManifest, Shelf } from './shelf.ts';

/** An image that is here whole, and what it is to be found under. */
export interface Whole {
  readonly reference: Reference;
  readonly root: Descriptor;
  readonly closure: Closure;
  /** What the tag means before; `undefined` where there is none. */
  readonly before: Digest | undefined;
}

export interface PlaceOptions {
  readonly shelf: Shelf;
  readonly manifest: (digest: Digest) => Promise<Manifest | undefined>;
  /** What a manifest refers to. */
  readonly subject: (manifest: Manifest) => Digest | undefined;
  readonly tags: TagMoves;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Links written at once: the disk takes them together. */
const TOGETHER = 16;

/**
 * Makes images visible of which everything is stored. Repositories learn what they may serve, from the
 * layers up, so that whatever can be asked for is whole at any moment; then all tags change together
 * with the marks that keep the images, and with the manifests of those that live here. Settles when the
 * disk has it.
 */
export async function placeImages(images: readonly Whole[], options: PlaceOptions): Promise<void> {
  const { shelf } = options;
  for (const algorithm of ['sha256', 'sha512']) {
    await syncFolder(path.join(shelf.paths.blobs, algorithm));
  }
  for (const image of images) {
    if (isHosted(image.reference.repository)) await adopt(image, options);
    else await link(image, options);
  }
  const lives = images.filter(({ reference }) => isHosted(reference.repository));
  const pushed: PushedManifest[] = [];
  for (const image of lives) pushed.push(...(await manifestsOf(image, options)));
  await settle(
    images.filter((image) => !lives.includes(image)),
    pushed,
    options,
  );
}

/** Without a manifest that lists it nobody comes upon it. */
async function adopt({ reference, closure }: Whole, { shelf }: PlaceOptions): Promise<void> {
  for (const { descriptor, kind } of closure.content.values()) {
    if (kind === 'blob') await shelf.hosted.blob(reference.repository, descriptor);
  }
}

/** Of an image that lives here, with the tag that it gets. */
async function manifestsOf(
  { reference: { repository, at }, closure, before }: Whole,
  { manifest, tags }: PlaceOptions,
): Promise<readonly PushedManifest[]> {
  const [root] = closure.content.keys();
  const moves = before === undefined || tags !== 'spare';
  const pushed: PushedManifest[] = [];
  for (const { descriptor, kind } of closure.content.values()) {
    // A registry takes no manifest without its layers.
    if (kind === 'blob' || closure.partial.has(descriptor.digest)) continue;
    const found = await manifest(descriptor.digest);
    if (found === undefined) continue;
    const named = descriptor.digest === root && !atDigest(at) && moves ? [at] : [];
    pushed.push({ repository, manifest: found, tags: named });
  }
  return pushed;
}

async function link({ reference, closure }: Whole, { shelf }: PlaceOptions): Promise<void> {
  const { repository } = reference;
  const set = async ({ digest, size, mediaType }: Descriptor, kind: string): Promise<void> => {
    const known = await shelf.links.get(repository, digest);
    const enough = kind === 'blob' || known?.mediaType === mediaType;
    if (known?.size === size && enough) return;
    const link = kind === 'blob' ? { size } : { size, mediaType };
    await shelf.links.set(repository, digest, link, 'durable');
  };
  const parts = [...closure.content.values()].toReversed();
  const blobs = parts.filter(({ kind }) => kind === 'blob');
  for (let at = 0; at < blobs.length; at += TOGETHER) {
    const some = blobs.slice(at, at + TOGETHER);
    await Promise.all(some.map(({ descriptor, kind }) => set(descriptor, kind)));
  }
  for (const { descriptor, kind } of parts) if (kind === 'manifest') await set(descriptor, kind);
}

/** Marks, lists of referrers, tags and what is pushed, of all images, as one change. */
async function settle(
  images: readonly Whole[],
  pushed: readonly PushedManifest[],
  options: PlaceOptions,
): Promise<void> {
  const { shelf } = options;
  const changes = new Map<string, Change>();
  const marked: (readonly [Reference['repository'], Digest])[] = [];
  for (const image of images) {
    for (const [repository, digest, change] of await marks(image, options, changes)) {
      changes.set(change.name, change);
      marked.push([repository, digest]);
    }
  }
  const lists = await referrerLists(images, options);
  for (const { change } of lists) changes.set(change.name, change);
  const moved = await movedTags(images, options);
  for (const { change } of moved) changes.set(change.name, change);
  try {
    // Kept before they are there: nothing goes in between.
    for (const [repository, digest] of marked) shelf.keep(repository, digest, 'kept');
    await shelf.settled();
    const all = [...changes.values()];
    await (pushed.length === 0 ? shelf.change(all) : shelf.hosted.place(pushed, all));
    // And told again: a look through the store that began meanwhile may have missed the files.
    for (const [repository, digest] of marked) shelf.keep(repository, digest, 'kept');
  } catch (error) {
    for (const [repository, digest] of marked) shelf.keep(repository, digest, 'dropped');
    throw error;
  }
  for (const { reference, tag, record } of moved) {
    await shelf.tags.set(reference.repository, tag, record);
  }
  for (const { repository, subject } of lists) shelf.renew(repository, subject);
  await shelf.settled();
}

/** Those that are not there yet. */
async function marks(
  { reference: { repository }, root, closure }: Whole,
  { shelf, now }: PlaceOptions,
  changes: ReadonlyMap<string, Change>,
) {
  const referrers = closure.referrers.map(({ digest }) => digest);
  const known = await importMarks(shelf.paths, repository);
  const wanted = [
    { digest: root.digest, referrers },
    ...referrers.map((digest) => ({ digest, referrers: [] })),
  ];
  return wanted.flatMap((mark) => {
    const before = known.find(({ digest }) => digest === mark.digest);
    const all = [...new Set([...(before?.referrers ?? []), ...mark.referrers])];
    if (before !== undefined && all.length === before.referrers.length) return [];
    const importedAt = before?.importedAt ?? now();
    const change = importChange(shelf.paths, repository, { ...mark, importedAt, referrers: all });
    // Another name of the same image in the same repository.
    return changes.has(change.name) ? [] : [[repository, mark.digest, change] as const];
  });
}

/** What is known to refer to something, and what has come now. */
async function referrerLists(images: readonly Whole[], options: PlaceOptions) {
  const { shelf, manifest, subject, now } = options;
  const lists = new Map<
    string,
    { repository: Reference['repository']; subject: Digest; items: Map<Digest, Descriptor> }
  >();
  for (const { reference, closure } of images) {
    for (const descriptor of closure.referrers) {
      const found = await manifest(descriptor.digest);
      const about = found && subject(found);
      if (about === undefined) continue;
      const { repository } = reference;
      const key = `${formatRepository(repository)}@${about}`;
      const list = lists.get(key) ?? { repository, subject: about, items: new Map() };
      list.items.set(descriptor.digest, descriptor);
      lists.set(key, list);
    }
  }
  const changed = [];
  for (const { repository, subject, items } of lists.values()) {
    const before = await shelf.referrers.get(repository, subject);
    const known = new Set(before?.items.map(({ digest }) => digest));
    const added = [...items.values()].filter(({ digest }) => !known.has(digest));
    if (added.length === 0) continue;
    const record = {
      items: [...(before?.items ?? []), ...added],
      checkedAt: before?.checkedAt ?? now(),
    };
    const name = shelf.paths.referrers(repository, subject);
    changed.push({ repository, subject, change: { name, text: JSON.stringify(record) } });
  }
  return changed;
}

async function movedTags(images: readonly Whole[], { shelf, tags, now }: PlaceOptions) {
  const moved = new Map<
    string,
    { reference: Reference; tag: Tag; record: TagRecord; change: Change }
  >();
  for (const { reference, root } of images) {
    const { repository, at } = reference;
    if (atDigest(at)) continue;
    const before = await shelf.tags.get(repository, at);
    if (before?.descriptor.digest === root.digest) continue;
    if (before !== undefined && tags === 'spare') continue;
    const { mediaType, digest, size } = root;
    const record = confirmed(before, { mediaType, digest, size }, now());
    const name = shelf.paths.tag(repository, at);
    moved.set(formatReference(repository, at), {
      reference,
      tag: at,
      record,
      change: { name, text: JSON.stringify(record) },
    });
  }
  return [...moved.values()];
}
