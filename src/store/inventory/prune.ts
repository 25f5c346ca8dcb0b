import path from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { parseImagePattern, type ImagePattern } from '../../core/image-pattern.ts';
import { formatReference, same } from '../../core/reference.ts';
import type { Evictor } from '../budget/evictor.ts';
import { importRoot } from '../budget/keeper.ts';
import { prune as pruneFolder } from '../durable.ts';
import { importMarks, removeImport } from '../imports.ts';
import { cachedImages, type CachedImage } from './images.ts';
import type { StoreView } from './view.ts';

/** Which images are to go. All that is said has to be true of one. */
export interface PruneQuery {
  /** Patterns, of which one has to fit; none: any image. */
  readonly patterns: readonly string[];
  /** Milliseconds since it was first pulled, at least. */
  readonly olderThan?: number;
  /** Milliseconds since it was last pulled, at least. */
  readonly unusedFor?: number;
  /** What becomes of images that their upstream no longer has: they cannot come back. */
  readonly gone: 'spare' | 'include';
  /** What becomes of images that were imported, which somebody has carried here; `only`: of no others. */
  readonly imported?: 'spare' | 'include' | 'only' | undefined;
}

export interface PrunePlan {
  readonly images: readonly CachedImage[];
  /** What no other image needs. Bytes. */
  readonly content: ReadonlyMap<Digest, number>;
}

/**
 * Chooses images, and of their content what no other image has. Pinned images stay.
 * @throws RegistryError REQUEST_INVALID for what is no pattern, and for a query that says nothing
 */
export async function planPrune(view: StoreView, query: PruneQuery): Promise<PrunePlan> {
  const chosen = chooser(query, Date.now());
  const images: CachedImage[] = [];
  const content = new Map<Digest, number>();
  for await (const image of cachedImages(view)) {
    if (!chosen(image)) continue;
    images.push(image);
    for (const [digest, size] of image.parts) content.set(digest, size);
  }
  if (images.length === 0) return { images, content };
  const names = new Set(images.map(nameOf));
  const companions = await companionsOf(view, images);
  for await (const image of cachedImages(view)) {
    if (names.has(nameOf(image))) continue;
    if (image.tag === undefined && companions.has(nameOf(image))) {
      images.push(image);
      for (const [digest, size] of image.parts) content.set(digest, size);
    }
  }
  for (const image of images) {
    names.add(nameOf(image));
    names.add(importRoot(image.repository, image.digest));
  }
  for await (const image of cachedImages(view)) {
    if (names.has(nameOf(image))) continue;
    for (const digest of image.parts.keys()) content.delete(digest);
  }
  for (const digest of content.keys()) {
    const root = view.keeper.why(digest);
    if (root !== undefined && !names.has(root.name)) content.delete(digest);
  }
  return { images, content };
}

/** Removes what was planned, save what somebody uses at the moment. Tells what is gone. */
export async function prune(
  view: StoreView,
  evictor: Evictor,
  plan: PrunePlan,
  mode: 'online' | 'offline' = 'online',
): Promise<{ readonly blobs: number; readonly bytes: number }> {
  const { paths } = view;
  const emptied = new Set<string>();
  for (const { repository, tag, digest } of plan.images) {
    if (tag !== undefined) await view.tags.remove(repository, tag);
    emptied.add(paths.tags(repository));
    // Another tag may mean the same, and stay.
    if (!plan.content.has(digest)) continue;
    await removeImport(paths, repository, digest);
    emptied.add(path.dirname(paths.import(repository, digest)));
    view.keeper.imported(repository, digest, 'dropped');
  }
  await view.keeper.settled();
  let [blobs, bytes] = [0, 0];
  for (const digest of plan.content.keys()) {
    const stored = view.index.get(digest);
    if (stored === undefined) continue;
    const folders = view.index.links
      .repositoriesOf(digest)
      .map((repository) => path.dirname(paths.link(repository, digest)));
    const gone = mode === 'online' ? evictor.evict(stored, 'request') : evictor.discard(stored);
    if (!(await gone)) continue;
    blobs += 1;
    bytes += stored.size;
    for (const folder of folders) emptied.add(folder);
  }
  for (const folder of emptied) await pruneFolder(folder, paths.repositories);
  return { blobs, bytes };
}

function chooser(query: PruneQuery, now: number): (image: CachedImage) => boolean {
  const patterns = query.patterns.map(patternOf);
  const { olderThan, unusedFor } = query;
  if (patterns.length === 0 && olderThan === undefined && unusedFor === undefined) {
    throw new RegistryError('REQUEST_INVALID', 'say which images: by pattern, age or last use');
  }
  return (image) => {
    const { kept, firstPulled = now, lastPulled = firstPulled } = image;
    if (kept !== undefined && !includes(query, kept)) return false;
    if (query.imported === 'only' && kept !== 'imported') return false;
    if (olderThan !== undefined && now - firstPulled < olderThan) return false;
    if (unusedFor !== undefined && now - lastPulled < unusedFor) return false;
    return patterns.length === 0 || patterns.some((pattern) => fits(pattern, image));
  };
}

/** Imported manifests that came with the images, and with no image that stays. */
async function companionsOf(
  { paths }: StoreView,
  images: readonly CachedImage[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { repository } of images) {
    const going = new Set(
      images.flatMap((one) => (same(one.repository, repository) ? one.digest : [])),
    );
    const marks = await importMarks(paths, repository);
    const staying = new Set(
      marks.flatMap((mark) => (going.has(mark.digest) ? [] : mark.referrers)),
    );
    for (const { digest, referrers } of marks) {
      if (!going.has(digest)) continue;
      for (const one of referrers)
        if (!staying.has(one)) found.add(formatReference(repository, one));
    }
  }
  return found;
}

/** Whether what is kept for that reason may go all the same. */
function includes(query: PruneQuery, kept: string): boolean {
  if (kept === 'imported') return query.imported === 'include' || query.imported === 'only';
  return kept === 'gone' && query.gone === 'include';
}

function fits(pattern: ImagePattern, { repository, tag, digest }: CachedImage): boolean {
  if (pattern.digest !== undefined) {
    return pattern.digest === digest && pattern.inRepository(repository);
  }
  if (tag !== undefined) return pattern.byTag(repository, tag);
  return pattern.covers === 'everything' && pattern.inRepository(repository);
}

function patternOf(text: string): ImagePattern {
  const pattern = parseImagePattern(text);
  if (pattern !== undefined) return pattern;
  throw new RegistryError('REQUEST_INVALID', `not a pattern of images: ${JSON.stringify(text)}`);
}

function nameOf({ repository, tag, digest }: CachedImage): string {
  return formatReference(repository, tag ?? digest);
}
