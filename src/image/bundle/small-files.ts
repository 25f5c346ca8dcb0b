import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { Manifest } from '../../core/manifest.ts';
import { atDigest, formatRepository, type Repository } from '../../core/reference.ts';
import { importChange, importMarks } from '../../store/imports.ts';
import type { Change } from '../../store/journal.ts';
import { confirmed, type NamedTag, type TagRecord } from '../../store/tags.ts';
import type { Move, MoveOptions } from './moves.ts';
import type { Shelf } from './shelf.ts';
import type { Whole } from './whole.ts';

export interface SmallFilesOptions extends MoveOptions {
  readonly shelf: Shelf;
  readonly manifest: (digest: Digest) => Promise<Manifest | undefined>;
  /** What a manifest refers to. */
  readonly subject: (manifest: Manifest) => Digest | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Small files of images that are mirrored, which change as one, and what follows from them. */
export interface SmallFiles {
  readonly changes: readonly Change[];
  /** Manifests that have a mark from then on, or another one. */
  readonly marked: readonly (readonly [Repository, Digest])[];
  readonly tags: readonly { readonly named: NamedTag; readonly record: TagRecord }[];
  /** What has other referrers. */
  readonly subjects: readonly { readonly repository: Repository; readonly subject: Digest }[];
}

/** Marks, lists of referrers and tags of all these images. */
export async function smallFilesOf(
  moves: readonly Move[],
  options: SmallFilesOptions,
): Promise<SmallFiles> {
  const changes = new Map<string, Change>();
  const marked: (readonly [Repository, Digest])[] = [];
  for (const { image } of moves) {
    for (const [repository, digest, change] of await marks(image, options, changes)) {
      changes.set(change.name, change);
      marked.push([repository, digest]);
    }
  }
  const subjects = await referrerLists(
    moves.map(({ image }) => image),
    options,
  );
  const tags = await movedTags(moves, options);
  for (const { change } of [...subjects, ...tags]) changes.set(change.name, change);
  return { changes: [...changes.values()], marked, tags, subjects };
}

/** Those that are not there yet. */
async function marks(
  { reference: { repository }, root, closure }: Whole,
  { shelf, now }: SmallFilesOptions,
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
async function referrerLists(images: readonly Whole[], options: SmallFilesOptions) {
  const { shelf, manifest, subject, now } = options;
  const lists = new Map<
    string,
    { repository: Repository; subject: Digest; items: Map<Digest, Descriptor> }
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

async function movedTags(moves: readonly Move[], { shelf, now }: SmallFilesOptions) {
  const moved = new Map<string, { named: NamedTag; record: TagRecord; change: Change }>();
  for (const { image, outcome } of moves) {
    const { repository, at } = image.reference;
    if (atDigest(at) || outcome === 'same' || outcome === 'stays') continue;
    const { mediaType, digest, size } = image.root;
    const before = await shelf.tags.get(repository, at);
    const record = confirmed(before, { mediaType, digest, size }, now());
    const name = shelf.paths.tag(repository, at);
    const change = { name, text: JSON.stringify(record) };
    moved.set(name, { named: { repository, tag: at }, record, change });
  }
  return [...moved.values()];
}
