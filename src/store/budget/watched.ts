import type { WatchableLinks } from '../links.ts';
import type { TagStore } from '../tags.ts';
import type { BlobIndex } from './blob-index.ts';
import type { Keeper } from './keeper.ts';
import type { Uses } from './uses.ts';

interface Watchers {
  readonly index: BlobIndex;
  readonly keeper: Keeper;
}

/**
 * The same links; the index knows of every one of them before it is there. What is kept is told
 * again afterwards: a look through the store that began meanwhile may have missed the file.
 */
export function watchedLinks(
  links: WatchableLinks,
  { index, keeper, uses }: Watchers & { readonly uses: Uses },
): WatchableLinks {
  return {
    get: (repository, digest) => links.get(repository, digest),
    async set(repository, digest, link, safety) {
      // An eviction takes links along: from under this one the index would lose it, and the disk not.
      using _use = uses.begin(digest);
      const removal = uses.removal(digest);
      if (removal !== undefined) await removal;
      const kind = link.mediaType === undefined ? 'blob' : 'manifest';
      index.link(repository, digest, kind);
      if (kind === 'manifest') keeper.linked(repository, digest);
      await links.set(repository, digest, link, safety);
      if (kind === 'manifest') keeper.linked(repository, digest);
    },
    async remove(repository, digest) {
      await links.remove(repository, digest);
      index.links.remove(repository, digest);
    },
    watch: (tell) => links.watch(tell),
  };
}

/** The same tags; what they keep from being evicted is kept before they are there. */
export function watchedTags(tags: TagStore, { keeper }: Watchers): TagStore {
  return {
    get: (repository, tag) => tags.get(repository, tag),
    list: (repository) => tags.list(repository),
    async set(repository, tag, record) {
      keeper.tagged(repository, tag, record);
      try {
        await tags.set(repository, tag, record);
      } finally {
        // Also where it could not be written: it goes on to mean what it meant.
        keeper.tagged(repository, tag, (await tags.get(repository, tag)) ?? record);
      }
    },
    async update(repository, tag, next) {
      try {
        await tags.update(repository, tag, (found) => {
          const record = next(found);
          if (record !== undefined) keeper.tagged(repository, tag, record);
          return record;
        });
      } finally {
        keeper.tagged(repository, tag, await tags.get(repository, tag));
      }
    },
    async remove(repository, tag) {
      await tags.remove(repository, tag);
      keeper.tagged(repository, tag, undefined);
    },
    hold: (held, task) =>
      tags.hold(held, (note) =>
        task((named, record) => {
          note(named, record);
          keeper.tagged(named.repository, named.tag, record);
        }),
      ),
  };
}
