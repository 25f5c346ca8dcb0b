import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { formatReference } from '../../core/reference.ts';
import { isRight } from '../../store/verify.ts';
import { closureOf } from './closure.ts';
import { describeMissing, type Closure, type Missing } from './closure-parts.ts';
import { checkLock, type Contents } from './contents.ts';
import type { Intake } from './intake.ts';
import type { LeftOut, Lock } from './lock.ts';
import type { NamedImage } from './naming.ts';
import type { Shelf } from './shelf.ts';

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
}

/**
 * Everything that the archive says it holds has to be there.
 * @throws RegistryError BLOB_UNKNOWN with everything that is missing; what `closureOf` and `checkLock` throw
 */
export async function verify(
  images: readonly NamedImage[],
  contents: Contents,
  intake: Intake,
  { name, shelf }: VerifyOptions,
): Promise<readonly Verified[]> {
  const { lock } = intake;
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
    for (const one of closure.missing) if (!left.has(one.digest)) missing.set(one.digest, one);
    for (const { descriptor } of closure.content.values()) found.set(descriptor.digest, descriptor);
    const without = platformsLeftOut(locked?.leftOut ?? closure.leftOut);
    verified.push({ ...image, closure, without });
  }
  for (const { digest, size, mediaType, in: place } of lock?.content ?? []) {
    if (missing.has(digest) || intake.has(digest)) continue;
    if (place === 'base' && (await isWhole(digest, size, intake, shelf))) continue;
    missing.set(digest, { digest, size, mediaType, neededBy: needing(digest, verified) });
  }
  refuseMissing(name, [...missing.values()], lock);
  if (lock !== undefined) checkLock(name, lock, found);
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
