import { formatReference, type Repository } from '../core/reference.ts';
import type { Change } from '../store/journal.ts';
import type { Link } from '../store/links.ts';
import { onDisk } from '../store/on-disk.ts';
import type { ChangesOptions } from './changes.ts';
import type { ManifestPut } from './hosted.ts';
import { placing } from './placing.ts';
import { parsePushed, type Pushed } from './pushed.ts';
import { checkReferences } from './references.ts';

/** A manifest that is stored, and the repository that is to hold it. */
export interface StoredManifest {
  readonly repository: Repository;
  readonly put: ManifestPut;
}

/**
 * Has repositories hold manifests that are content already, with their tags, as pushes would: all of
 * them, and `more` changes to other small files, or none, also across a crash. Settles when the disk has it.
 * @throws RegistryError as a push does
 */
export async function placeStored(
  options: ChangesOptions,
  manifests: readonly StoredManifest[],
  more: readonly Change[],
): Promise<void> {
  const { locks, watch, records, onTags } = options;
  const placed = manifests.map(({ repository, put }) => {
    return { repository, tags: put.tags, pushed: parsePushed(put) };
  });
  const repositories = [
    ...new Map(placed.map(({ repository }) => [repository.path, repository])).values(),
  ];
  const digests = [...new Set(placed.map(({ pushed }) => pushed.descriptor.digest))];
  await locks.all({ repositories, digests }, () =>
    onDisk(async () => {
      await check(options, placed);
      for (const digest of digests) watch.linking(digest);
      const changes = new Map(more.map((change) => [change.name, change]));
      for (const { repository, pushed, tags } of placed) {
        for (const change of await placing(options, repository, pushed, tags)) {
          changes.set(change.name, change);
        }
      }
      try {
        await records.change([...changes.values()]);
      } finally {
        for (const repository of repositories) watch.changed(repository);
      }
    }),
  );
  for (const repository of repositories) onTags?.(repository, 'pushed');
}

/** Each may list what the others bring. @throws RegistryError MANIFEST_BLOB_UNKNOWN, MANIFEST_INVALID */
async function check(
  { records, content, rules }: ChangesOptions,
  placed: readonly { readonly repository: Repository; readonly pushed: Pushed }[],
): Promise<void> {
  const links = new Map<string, Link>();
  for (const { repository, pushed } of placed) {
    const { digest, size, mediaType } = pushed.descriptor;
    links.set(formatReference(repository, digest), { size, mediaType });
  }
  const here = {
    content,
    records: {
      link: async (repository: Repository, digest: Pushed['descriptor']['digest']) =>
        links.get(formatReference(repository, digest)) ?? (await records.link(repository, digest)),
    },
  };
  for (const { repository, pushed } of placed) {
    await checkReferences(here, repository, pushed, rules().sparse);
  }
}
