import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isHosted } from '../../core/hosted.ts';
import { atDigest, formatReference } from '../../core/reference.ts';
import type { TagMoves } from './query.ts';
import type { Shelf } from './shelf.ts';
import type { Whole } from './whole.ts';

/** What an import does to the tag that an image is to have. */
export interface Move<I extends Whole = Whole> {
  readonly image: I;
  /** What the tag means before; `undefined` where there is none, and for an image without a tag. */
  readonly before: Digest | undefined;
  /** `same`: it was here under that name. `moved`: the name meant something else. `stays`: it still does. */
  readonly outcome: 'new' | 'same' | 'moved' | 'stays';
}

export interface MoveOptions {
  readonly shelf: Pick<Shelf, 'tags' | 'hosted'>;
  /** What people call the archive. */
  readonly name: string;
  readonly tags: TagMoves;
}

/**
 * What becomes of the tags by what they mean at the moment: that holds for as long as nobody else changes them.
 * @throws RegistryError DENIED, with every tag that would mean something else from then on and has to be kept
 */
export async function movesOf<I extends Whole>(
  images: readonly I[],
  options: MoveOptions,
): Promise<readonly Move<I>[]> {
  const moves: Move<I>[] = [];
  for (const image of images) {
    const before = await meaningOf(image, options);
    moves.push({ image, before, outcome: outcomeOf(before, image.root.digest, options.tags) });
  }
  refuseMoves(moves, options);
  return moves;
}

async function meaningOf(
  { reference: { repository, at } }: Whole,
  { shelf }: MoveOptions,
): Promise<Digest | undefined> {
  if (atDigest(at)) return undefined;
  if (isHosted(repository)) return (await shelf.hosted.tag(repository, at))?.digest;
  return (await shelf.tags.get(repository, at))?.descriptor.digest;
}

function outcomeOf(before: Digest | undefined, now: Digest, tags: TagMoves): Move['outcome'] {
  if (before === undefined) return 'new';
  if (before === now) return 'same';
  return tags === 'spare' ? 'stays' : 'moved';
}

function refuseMoves(moves: readonly Move[], { name, tags }: MoveOptions): void {
  const moving = moves.filter(({ outcome }) => outcome === 'moved');
  if (tags !== 'keep' || moving.length === 0) return;
  const lines = moving.map(({ image: { reference, root }, before }) => {
    const { repository, at } = reference;
    return `  ${formatReference(repository, at)} means ${before}, there ${root.digest}`;
  });
  throw new RegistryError(
    'DENIED',
    `nothing of ${name} was imported: tags that are here mean something else, and only --overwrite moves them\n${lines.join('\n')}`,
  );
}
