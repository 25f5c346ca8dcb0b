import { asError } from '../core/errors.ts';
import { access, constants } from 'node:fs/promises';
import { isHosted } from '../core/hosted.ts';
import type { Digest } from '../core/digest.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import { Housekeeping } from '../store/budget/housekeeping.ts';
import type { HousekeepingOptions } from '../store/budget/options.ts';
import { watchedLinks, watchedTags } from '../store/budget/watched.ts';
import { diskStore } from '../store/disk.ts';
import { Layout } from '../store/layout.ts';
import { diskLinks, type WatchableLinks } from '../store/links.ts';
import { lockStore } from '../store/lock.ts';
import { Paths } from '../store/paths.ts';
import { diskReferrers, type ReferrersStore } from '../store/referrers.ts';
import { Records } from '../store/records.ts';
import { scrub } from '../store/scrub.ts';
import type { IntakeStore } from '../store/store.ts';
import { diskTags, type TagStore } from '../store/tags.ts';
import { UploadStore } from '../store/uploads.ts';
import { makeFolder } from '../store/make-folder.ts';

export interface OpenStore extends AsyncDisposable {
  readonly paths: Paths;
  readonly content: IntakeStore;
  readonly links: WatchableLinks;
  readonly tags: TagStore;
  readonly referrers: ReferrersStore;
  /** Of the repositories that live here. */
  readonly records: Records;
  readonly uploads: UploadStore;
  /** A tag of one of those means something else: `index.json` is out of date. */
  retagged(): void;
  readonly housekeeping: Housekeeping;
  /** Somebody asked for the content, which is here. */
  touch(digest: Digest): void;
  /** Why the store cannot be used at the moment; a full disk is no reason. */
  readonly ready: () => Promise<string | undefined>;
}

export interface OpenStoreOptions {
  readonly path: string;
  /** Bytes a second; 0: no background verification, until it is another. */
  readonly verifyRate: () => number;
  readonly admin: string;
  readonly observe: (event: MirrorEvent) => void;
  readonly housekeeping: Omit<HousekeepingOptions, 'paths' | 'content' | 'links' | 'tags'>;
}

/**
 * Locks the store and starts what works on it in the background.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process serves it, or Node's error
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenStore> {
  const { observe, verifyRate, admin } = options;
  const paths = new Paths(options.path);
  await makeFolder(paths.root);
  const lock = lockStore(paths, { pid: process.pid, admin });
  const onError = (operation: string, error: Error): void =>
    observe({ type: 'storage-error', operation, error });
  const onCommitted = (seconds: number): void =>
    observe({ type: 'storage-operation', operation: 'commit', seconds });
  const [recorded, disk] = [diskLinks(paths), diskTags(paths)];
  const housekeeping: Housekeeping = new Housekeeping({
    ...options.housekeeping,
    paths,
    content: () => content,
    links: recorded,
    tags: disk,
  });
  const content: IntakeStore = await diskStore({
    paths,
    room: housekeeping.room,
    uses: housekeeping.uses,
    onError,
    onDamage: (digest, reason) => observe({ type: 'damaged', digest, reason }),
    onCommitted,
    onRemoved: (digest, size) => housekeeping.removed(digest, size),
  });
  const records = new Records(paths);
  await records.recover();
  await housekeeping.open();
  const layout = new Layout({
    paths,
    tags: {
      get: (repository, tag) =>
        isHosted(repository) ? records.tag(repository, tag) : disk.get(repository, tag),
      list: (repository) => disk.list(repository),
    },
    store: content,
    onError: (error) => onError('layout', error),
  });
  const stop = new AbortController();
  const { signal } = stop;
  const background = [
    layout.keep(signal),
    scrub({
      paths,
      store: content,
      rate: verifyRate,
      signal,
      onError: (error) => onError('verify', error),
    }).catch((error: unknown) => onError('verify', asError(error))),
  ];
  return {
    paths,
    content,
    links: watchedLinks(recorded, housekeeping),
    tags: touching(watchedTags(disk, housekeeping), layout),
    referrers: diskReferrers(paths),
    records,
    uploads: new UploadStore({
      paths,
      room: housekeeping.uploadRoom,
      onStored: (digest, size) => housekeeping.stored(digest, size),
      onCommitted,
    }),
    retagged: () => layout.touch(),
    housekeeping,
    touch: (digest) => housekeeping.touch(digest),
    ready: async () => {
      try {
        await access(paths.ingests, constants.W_OK);
        return undefined;
      } catch (error) {
        return `the store cannot be written: ${asError(error).message}`;
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all(background);
      await housekeeping[Symbol.asyncDispose]();
      await layout.flush().catch((error: unknown) => onError('layout', asError(error)));
      lock[Symbol.dispose]();
    },
  };
}

/** The same tags; the layout's index is out of date whenever one gets another meaning. */
function touching(tags: TagStore, layout: Layout): TagStore {
  return {
    get: (repository, tag) => tags.get(repository, tag),
    list: (repository) => tags.list(repository),
    async set(repository, tag, record) {
      const before = await tags.get(repository, tag);
      await tags.set(repository, tag, record);
      if (before?.descriptor.digest !== record.descriptor.digest) layout.touch();
    },
    async update(repository, tag, next) {
      let moved = false;
      await tags.update(repository, tag, (found) => {
        const record = next(found);
        moved = record !== undefined && found?.descriptor.digest !== record.descriptor.digest;
        return record;
      });
      if (moved) layout.touch();
    },
    async remove(repository, tag) {
      await tags.remove(repository, tag);
      layout.touch();
    },
    hold: (held, task) =>
      tags.hold(held, (note) =>
        task((named, record) => {
          note(named, record);
          layout.touch();
        }),
      ),
  };
}
