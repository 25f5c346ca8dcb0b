import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { formatReference, same, type Repository, type Tag } from '../core/reference.ts';
import type { Change } from '../store/journal.ts';
import type { Link } from '../store/links.ts';
import { onDisk } from '../store/on-disk.ts';
import type { Records } from '../store/records.ts';
import type { ChangesOptions } from './changes.ts';
import type { ManifestPut } from './hosted.ts';
import { placing } from './placing.ts';
import { parsePushed, type Pushed } from './pushed.ts';
import { checkReferences, isBlob } from './references.ts';

/** A blob that is stored, and the repository that is to hold it. */
export interface StoredBlob {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A manifest that is stored, and the repository that is to hold it. */
export interface StoredManifest {
  readonly repository: Repository;
  readonly put: Omit<ManifestPut, 'tags'>;
}

export interface StoredContent {
  readonly blobs: readonly StoredBlob[];
  readonly manifests: readonly StoredManifest[];
  /** Repositories elsewhere that change with it: whoever names the same ones waits. */
  readonly beside: readonly Repository[];
}

/** What a tag means from now on: one of the manifests. */
export interface Tagged {
  readonly repository: Repository;
  readonly tag: Tag;
  readonly digest: Digest;
}

/**
 * Has the repositories hold the content, with these tags, and makes `more` changes to other small files:
 * all of it, or nothing, also across a crash. Settles when the disk has it.
 * @throws RegistryError STORAGE_UNAVAILABLE
 */
export type Commit = (tagged: readonly Tagged[], more: readonly Change[]) => Promise<void>;

interface Placed {
  readonly repository: Repository;
  readonly pushed: Pushed;
}

/**
 * Has repositories hold what is content already, as pushes would. The task runs while nobody else changes
 * any of them: what their tags mean by then they mean until it calls `commit`; without that nothing is changed.
 * It must not wait for another change of theirs.
 * @throws RegistryError as a push does, the task not having run; or what the task throws
 */
export async function placeStored<T>(
  options: ChangesOptions,
  { blobs, manifests, beside }: StoredContent,
  task: (commit: Commit) => Promise<T>,
): Promise<T> {
  const placed = manifests.map(({ repository, put }) => ({ repository, pushed: parsePushed(put) }));
  const repositories = [
    ...new Map(
      [...blobs, ...placed].map(({ repository }) => [repository.path, repository]),
    ).values(),
  ];
  const digests = [
    ...new Set([
      ...blobs.map(({ digest }) => digest),
      ...placed.map(({ pushed }) => pushed.descriptor.digest),
    ]),
  ];
  const { locks, watch, onTags, rules, content, now } = options;
  const records = withPlaced(options.records, blobs, placed);
  const commit: Commit = async (tagged, more) => {
    const changes = [...more, ...(await adopting(options, records, blobs))];
    for (const { repository, pushed } of placed) {
      watch.linking(pushed.descriptor.digest);
      const tags = tagged.filter(
        (one) => one.digest === pushed.descriptor.digest && same(one.repository, repository),
      );
      const names = tags.map(({ tag }) => tag);
      changes.push(...(await placing({ records, now }, repository, pushed, names)));
    }
    try {
      await options.records.change([
        ...new Map(changes.map((change) => [change.name, change])).values(),
      ]);
    } finally {
      for (const repository of repositories) watch.changed(repository);
    }
    for (const repository of repositories) onTags?.(repository, 'pushed');
  };
  return locks.all({ repositories: [...repositories, ...beside], digests }, async () => {
    await onDisk(async () => {
      for (const { repository, pushed } of placed) {
        await checkReferences({ content, records }, repository, pushed, rules().sparse);
      }
    });
    return task((tagged, more) => onDisk(() => commit(tagged, more)));
  });
}

/** Links of the blobs; whoever has one of them shows that it is needed. */
async function adopting(
  { records, watch, now }: Pick<ChangesOptions, 'records' | 'watch' | 'now'>,
  { link }: Pick<Records, 'link'>,
  blobs: readonly StoredBlob[],
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const { repository, digest, size } of blobs) {
    watch.linking(digest);
    const known = await records.link(repository, digest);
    const here = known !== undefined && isBlob(known) && known.size === size;
    if (here && (await records.use(repository, digest, now()))) continue;
    const text = JSON.stringify(await link(repository, digest));
    changes.push({ name: records.paths.link(repository, digest), text });
  }
  return changes;
}

/** The records as they are once all of it is placed, tags aside: each part may need what the others bring. */
function withPlaced(
  records: Records,
  blobs: readonly StoredBlob[],
  placed: readonly Placed[],
): Pick<Records, 'link' | 'tag' | 'use' | 'paths'> {
  const sizes = new Map(
    blobs.map(({ repository, digest, size }) => [formatReference(repository, digest), size]),
  );
  const manifests = new Map(
    placed.map(({ repository, pushed: { descriptor } }) => {
      return [formatReference(repository, descriptor.digest), descriptor] as const;
    }),
  );
  return {
    paths: records.paths,
    tag: (repository, tag) => records.tag(repository, tag),
    use: (repository, digest, now) => records.use(repository, digest, now),
    link: async (repository, digest) => {
      const name = formatReference(repository, digest);
      return joined(await records.link(repository, digest), sizes.get(name), manifests.get(name));
    },
  };
}

/** The link of what is known, and comes as a blob of that size, as a manifest, or as both. */
function joined(
  known: Link | undefined,
  blob: number | undefined,
  manifest: Descriptor | undefined,
): Link | undefined {
  const size = manifest?.size ?? blob ?? known?.size;
  const mediaType = manifest?.mediaType ?? known?.mediaType;
  if (size === undefined) return undefined;
  if (mediaType === undefined) return { size };
  const both = blob !== undefined || (known !== undefined && isBlob(known));
  return { size, mediaType, ...(both && { blob: true }) };
}
