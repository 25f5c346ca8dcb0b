import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isHosted } from '../../core/hosted.ts';
import { formatPlatform, type Platform } from '../../core/platform.ts';
import { formatReference, type Reference, type Repository } from '../../core/reference.ts';
import { closureOf } from './closure.ts';
import { subjectOf } from './closure-parts.ts';
import { contentsOf, type Contents } from './contents.ts';
import { Intake } from './intake.ts';
import type { Lock } from './lock.ts';
import { movesOf, type Move } from './moves.ts';
import { nameImages } from './naming.ts';
import { placeImages } from './place.ts';
import type { TagMoves } from './query.ts';
import type { Shelf } from './shelf.ts';
import { verify, type Verified } from './verified.ts';
import type { Whole } from './whole.ts';

export interface ImportOptions {
  readonly shelf: Shelf;
  /** What people call the archive. */
  readonly name: string;
  /** What it has to be, to the digest. */
  readonly lock?: Lock | undefined;
  /** What the image is to be called, of an archive that holds one. */
  readonly as?: Reference | undefined;
  /** Of an index only the images for these; all that are there when left out. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly tags: TagMoves;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface ImportedImage {
  readonly name: string;
  readonly digest: Digest;
  readonly outcome: Move['outcome'];
  /** `os/architecture[/variant]` of what the image is for and the archive has not. */
  readonly without: readonly string[];
}

export interface Imported {
  readonly images: readonly ImportedImage[];
  /** Where the images are. */
  readonly places: readonly { readonly repository: Repository; readonly digest: Digest }[];
  /** What was not stored before. */
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Imports the images of an archive, read once from its beginning to its end: a bundle, any OCI layout in
 * a tar, what docker saves; plain, gzip or zstd. Everything is verified before anything of it is visible.
 * @throws RegistryError saying what is wrong; nothing of the archive is visible then
 */
export async function importBundle(
  bytes: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<Imported> {
  const { shelf, name, signal } = options;
  await using intake = new Intake(options);
  await intake.read(bytes);
  const contents = await contentsOf(intake, shelf, name);
  const { lock } = intake;
  const images = nameImages({
    name,
    contents,
    lock,
    as: options.as,
    place: (reference, lives) => shelf.place(reference, lives),
  });
  const verified = await verify(images, contents, intake, options);
  const whole = await chosen(verified, contents, options);
  // Nobody keeps tags from moving until they are written: before they are, it is asked again.
  await movesOf(whole, options);
  refuseSparse(whole, shelf);
  await hold(whole, intake, shelf);
  const content = new Map(whole.flatMap(({ closure }) => [...closure.content]));
  // Before the images are kept, which would keep this as well.
  await intake.drop((digest) => content.has(digest));
  signal?.throwIfAborted();
  const moves = await placeImages(whole, {
    shelf,
    name,
    manifest: (digest) => contents.source.manifest(digest),
    subject: subjectOf,
    tags: options.tags,
    now: options.now ?? Date.now,
  });
  const fresh = [...content.values()].filter(({ descriptor }) => intake.settle(descriptor.digest));
  return {
    images: moves.map(({ image: { reference, root, without }, outcome }) => ({
      name: formatReference(reference.repository, reference.at),
      digest: root.digest,
      outcome,
      without,
    })),
    places: whole.map(({ reference: { repository }, root: { digest } }) => ({
      repository,
      digest,
    })),
    blobs: fresh.length,
    bytes: fresh.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  };
}

async function chosen(
  images: readonly Verified[],
  { source }: Contents,
  { name, platforms }: ImportOptions,
): Promise<readonly (Whole & Pick<Verified, 'without'>)[]> {
  const whole: (Whole & Pick<Verified, 'without'>)[] = [];
  for (const { reference, root, closure, without } of images) {
    const { repository, at } = reference;
    const text = formatReference(repository, at);
    const wanted =
      platforms === undefined
        ? closure
        : await closureOf(text, root, source, { platforms, referrers: 'stored' });
    whole.push({ reference, root, closure: wanted, without });
  }
  refuseHollow(name, platforms, images, whole);
  return whole;
}

/** Nobody could pull an image of which nothing that is wanted has all its layers. */
function refuseHollow(
  name: string,
  platforms: readonly Platform[] | undefined,
  images: readonly Verified[],
  whole: readonly Whole[],
): void {
  const lines = whole.flatMap(({ reference: { repository, at }, closure }, index) => {
    if (closure.whole.length > 0 || closure.missing.length === 0) return [];
    const there = images[index]?.locked?.platforms ?? images[index]?.closure.platforms ?? [];
    const has = there.length === 0 ? '' : `: it has ${there.join(', ')}`;
    return [`  ${formatReference(repository, at)}${has}`];
  });
  if (lines.length === 0) return;
  const what = platforms === undefined ? 'any platform' : platforms.map(formatPlatform).join(', ');
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `nothing was imported: ${name} does not have all of an image for ${what}\n${lines.join('\n')}`,
  );
}

/** What lives here obeys the rules of a push, which are asked before anything is visible. */
function refuseSparse(whole: readonly Whole[], { hosted }: Shelf): void {
  if (hosted.sparse() !== 'none') return;
  const partly = whole.filter(
    ({ reference, closure }) =>
      isHosted(reference.repository) && closure.leftOut.length + closure.missing.length > 0,
  );
  if (partly.length === 0) return;
  const names = partly.map(({ reference: { repository, at } }) => formatReference(repository, at));
  throw new RegistryError(
    'MANIFEST_BLOB_UNKNOWN',
    `nothing was imported: ${names.join(', ')} would live here without all of their platforms, which uploads.sparse does not allow`,
  );
}

/** From here on nothing of it may leave; and all of it has to be there still. */
async function hold(whole: readonly Whole[], intake: Intake, { content }: Shelf): Promise<void> {
  for (const { closure } of whole) {
    for (const { descriptor } of closure.content.values()) {
      await intake.hold(descriptor.digest);
      if ((await content.size(descriptor.digest)) === descriptor.size) continue;
      throw new RegistryError(
        'STORAGE_UNAVAILABLE',
        `${descriptor.digest} has left the store while it was being imported`,
      );
    }
  }
}
