import type { Digest } from '../../core/digest.ts';
import { isIndexType } from '../../core/image-manifest.ts';
import type { Platform } from '../../core/platform.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import type { Paths } from '../../store/paths.ts';
import type { LeftOut, Lock } from './lock.ts';
import { isManifest, lockedClosures, type LockedClosure } from './locked-closures.ts';

/**
 * What a bundle goes on from and an import for these platforms does without: what an import of all of it
 * for them would have left out. Of that nothing need be here.
 * @throws what `closureOf` throws
 */
export async function sparedOf(
  lock: Lock,
  platforms: readonly Platform[],
  paths: Paths,
): Promise<ReadonlySet<Digest>> {
  const base = lock.content.filter((one) => one.in === 'base');
  if (base.length === 0) return new Set();
  // What is not whole is wanted all the same: then all of it has to be said to be missing.
  const rules = { platforms, referrers: 'all' } as const;
  const wanted = new Set<Digest>();
  for (const one of await lockedClosures(lock, paths, rules))
    for (const digest of wantedOf(one)) wanted.add(digest);
  return new Set(base.flatMap(({ digest }) => (wanted.has(digest) ? [] : [digest])));
}

function wantedOf({ closure, unread }: LockedClosure): readonly Digest[] {
  const { content, missing, leftOut } = closure;
  // Indexes for other platforms are left out whole, and with them what refers to them.
  const unseen = leftOut.some((one) => isManifest(one) && !comesAlong(one));
  return [
    ...content.keys(),
    ...missing.map(({ digest }) => digest),
    ...leftOut.filter(comesAlong).map(({ digest }) => digest),
    ...(unseen ? [] : unread),
  ];
}

/** Whether it was left out only because it is not here: any image's manifest comes along. */
function comesAlong({ mediaType, why }: LeftOut): boolean {
  const old =
    mediaType === MEDIA_TYPES.dockerSchema1 || mediaType === MEDIA_TYPES.dockerSchema1Signed;
  return why === 'not stored' || (isManifest({ mediaType }) && !isIndexType(mediaType) && !old);
}
