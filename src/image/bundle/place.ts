import path from 'node:path';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { isHosted } from '../../core/hosted.ts';
import { atDigest, type Repository } from '../../core/reference.ts';
import { syncFolder } from '../../store/durable.ts';
import { isImported } from '../../store/imports.ts';
import type { NoteTag } from '../../store/tags.ts';
import { movesOf, type Move } from './moves.ts';
import type { Commit, PushedContent, PushedTag, Shelf } from './shelf.ts';
import { smallFilesOf, type SmallFilesOptions } from './small-files.ts';
import type { Whole } from './whole.ts';

/** Links written at once: the disk takes them together. */
const TOGETHER = 16;

/**
 * Makes images visible of which everything is stored. What their tags mean is looked at while nobody else
 * can change it. Then mirrored repositories learn what they may serve, from the layers up, so that whatever
 * can be asked for is whole at any moment; then all tags change together with the marks that keep the
 * images, and with what lives here. Settles when the disk has it; tells what became of the tags.
 * @throws RegistryError DENIED where a tag has to be kept and means something else by now; nothing is visible then
 */
export async function placeImages<I extends Whole>(
  images: readonly I[],
  options: SmallFilesOptions,
): Promise<readonly Move<I>[]> {
  const { shelf } = options;
  for (const algorithm of ['sha256', 'sha512']) {
    await syncFolder(path.join(shelf.paths.blobs, algorithm));
  }
  const mirrored = images.filter(({ reference }) => !isHosted(reference.repository));
  const content = await contentOf(images, options);
  const tags = mirrored.flatMap(({ reference: { repository, at } }) =>
    atDigest(at) ? [] : [{ repository, tag: at }],
  );
  return shelf.hosted.place(content, (commit) =>
    shelf.tags.hold(tags, async (note) => {
      const moves = await movesOf(images, options);
      for (const image of mirrored) await link(image, options);
      await settle(moves, { ...options, commit, note });
      return moves;
    }),
  );
}

/** What is to live here, and the other repositories. Without a manifest that lists it nobody comes upon a blob. */
async function contentOf(
  images: readonly Whole[],
  { manifest }: SmallFilesOptions,
): Promise<PushedContent> {
  const blobs: PushedContent['blobs'][number][] = [];
  const manifests: PushedContent['manifests'][number][] = [];
  const beside: Repository[] = [];
  for (const { reference, closure } of images) {
    const { repository } = reference;
    if (!isHosted(repository)) {
      beside.push(repository);
      continue;
    }
    for (const { descriptor, kind } of closure.content.values()) {
      if (kind === 'blob') blobs.push({ repository, descriptor });
      // A registry takes no manifest without its layers.
      if (kind === 'blob' || closure.partial.has(descriptor.digest)) continue;
      const found = await manifest(descriptor.digest);
      if (found !== undefined) manifests.push({ repository, manifest: found });
    }
  }
  return { blobs, manifests, beside };
}

async function link({ reference, closure }: Whole, { shelf }: SmallFilesOptions): Promise<void> {
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

interface SettleOptions extends SmallFilesOptions {
  readonly commit: Commit;
  readonly note: NoteTag;
}

/** What is mirrored and what lives here, as one change. */
async function settle(moves: readonly Move[], options: SettleOptions): Promise<void> {
  const { shelf, commit, note } = options;
  const lives = moves.filter(({ image }) => isHosted(image.reference.repository));
  const mirrored = moves.filter((move) => !lives.includes(move));
  const { changes, marked, tags, subjects } = await smallFilesOf(mirrored, options);
  try {
    // Kept before they are there: nothing goes in between.
    for (const [repository, digest] of marked) shelf.keep(repository, digest, 'kept');
    await shelf.settled();
    await commit(pushedTags(lives), changes);
    // And told again: a look through the store that began meanwhile may have missed the files.
    for (const [repository, digest] of marked) shelf.keep(repository, digest, 'kept');
  } catch (error) {
    await release(marked, shelf);
    throw error;
  }
  for (const { named, record } of tags) note(named, record);
  for (const { repository, subject } of subjects) shelf.renew(repository, subject);
  await shelf.settled();
}

/** What an earlier import has marked stays kept, whatever has become of this one. */
async function release(
  marked: readonly (readonly [Repository, Digest])[],
  shelf: Shelf,
): Promise<void> {
  for (const [repository, digest] of marked) {
    // What nobody can tell stays until the store is looked through.
    const stays = await isImported(shelf.paths, repository, digest).catch(() => true);
    if (!stays) shelf.keep(repository, digest, 'dropped');
  }
}

/** The tags that get, or have, the images that live here. */
function pushedTags(moves: readonly Move[]): readonly PushedTag[] {
  return moves.flatMap(({ image: { reference, root }, outcome }) => {
    const { repository, at } = reference;
    if (atDigest(at) || outcome === 'stays') return [];
    return [{ repository, tag: at, digest: root.digest }];
  });
}
