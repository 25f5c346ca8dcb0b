import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { Platform } from '../../core/platform.ts';
import { formatReference } from '../../core/reference.ts';
import { isRight } from '../../store/verify.ts';
import { closureOf } from './closure.ts';
import { describeMissing, type Closure, type Missing } from './closure-parts.ts';
import { checkLock, type Contents } from './contents.ts';
import type { Intake } from './intake.ts';
import type { LeftOut, Lock } from './lock.ts';
import type { NamedImage } from './naming.ts';
import type { Shelf } from './shelf.ts';
import { sparedOf } from './spared.ts';

/** An image with everything that belongs to it, all of which is there and right. */
export interface Verified extends NamedImage {
  readonly closure: Closure;
  readonly without: readonly string[];
}

/** Platforms of which nothing came. One without a name is called by its digest. */
function platformsLeftOut(left: readonly LeftOut[]): readonly string[] {
  const names = left.flatMap(({ platform, digest, why }) =>
    why === 'not distributable' ? [] : [platform ?? digest],
  );
  return [...new Set(names)].filter((name) => !name.startsWith('unknown/')).toSorted();
}

export interface VerifyOptions {
  /** What people call the archive. */
  readonly name: string;
  readonly shelf: Shelf;
  /** Of an index only the images for these are wanted; all that there are when left out. */
  readonly platforms?: readonly Platform[] | undefined;
}

/**
 * Everything that the archive says it holds has to be there, and of what it goes on from all that is wanted.
 * @throws RegistryError BLOB_UNKNOWN with everything that is missing; what `closureOf` and `checkLock` throw
 */
export async function verify(
  images: readonly NamedImage[],
  contents: Contents,
  intake: Intake,
  { name, shelf, platforms }: VerifyOptions,
): Promise<readonly Verified[]> {
  const { lock } = intake;
  const spared =
    lock && platforms ? await sparedOf(lock, platforms, shelf.paths) : new Set<Digest>();
  const verified: Verified[] = [];
  const missing = new Map<Digest, Missing>();
  const found = new Map<Digest, Descriptor>();
  for (const image of images) {
    const { reference, root, locked } = image;
    const text = formatReference(reference.repository, reference.at);
    const closure = await closureOf(text, root, contents.source, {
      platforms: lock === undefined ? 'stored' : 'all',
      referrers: 'all',
    });
    const left = new Set(locked?.leftOut.map(({ digest }) => digest));
    for (const one of closure.missing) {
      // What its size and type are said to be is held against the lock nevertheless.
      if (spared.has(one.digest)) found.set(one.digest, one);
      else if (!left.has(one.digest)) missing.set(one.digest, one);
    }
    for (const { descriptor } of closure.content.values()) found.set(descriptor.digest, descriptor);
    const without = platformsLeftOut(locked?.leftOut ?? closure.leftOut);
    verified.push({ ...image, closure, without });
  }
  const content = lock?.content.filter(({ digest }) => found.has(digest) || !spared.has(digest));
  for (const { digest, size, mediaType, in: place } of content ?? []) {
    if (intake.has(digest) || spared.has(digest)) continue;
    // Also of what was found to be missing: what is damaged would be in the way of what is right.
    if (place === 'base' && (await isWhole(digest, size, intake, shelf))) continue;
    if (missing.has(digest)) continue;
    missing.set(digest, { digest, size, mediaType, neededBy: needing(digest, verified) });
  }
  refuseMissing(name, [...missing.values()], lock);
  if (lock !== undefined) checkLock(name, { ...lock, content: content ?? [] }, found);
  return verified;
}

/** Whether the store has what the archive builds on, to the byte; what is damaged is set aside. */
async function isWhole(
  digest: Digest,
  size: number,
  intake: Intake,
  { content }: Shelf,
): Promise<boolean> {
  await intake.hold(digest);
  return (await content.size(digest)) === size && (await isRight(content, digest));
}

function needing(digest: Digest, images: readonly Verified[]): string {
  const names = images.flatMap(({ closure, reference: { repository, at } }) =>
    closure.content.has(digest) ? [formatReference(repository, at)] : [],
  );
  return names.length === 0 ? 'the lock' : names.join(', ');
}

/** @throws RegistryError BLOB_UNKNOWN, with everything that is missing */
function refuseMissing(name: string, missing: readonly Missing[], lock: Lock | undefined): void {
  if (missing.length === 0) return;
  const base = new Set(lock?.content.flatMap((one) => (one.in === 'base' ? [one.digest] : [])));
  const lines = missing.map((one) => {
    const where = base.has(one.digest) ? ' (of the bundle that this one goes on from)' : '';
    return `  ${describeMissing(one)}${where}`;
  });
  throw new RegistryError('BLOB_UNKNOWN', `${name} lacks content\n${lines.join('\n')}`, {
    detail: { missing },
  });
}
