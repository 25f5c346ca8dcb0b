import { BlobIndex } from '../budget/blob-index.ts';
import { StoreClock } from '../budget/clock.ts';
import { IndexDatabase } from '../budget/index-database.ts';
import { Keeper } from '../budget/keeper.ts';
import { Meta } from '../budget/meta.ts';
import { Past } from '../budget/past.ts';
import { Pins } from '../budget/pins.ts';
import { scanBlobs, scanRepositories } from '../budget/scan.ts';
import { readManifest } from '../budget/stored-manifest.ts';
import { existingStore } from '../disk.ts';
import { diskLinks, type LinkStore } from '../links.ts';
import type { Paths } from '../paths.ts';
import type { ContentStore } from '../store.ts';
import { diskTags, type TagStore } from '../tags.ts';

/** What can be looked at in a store. */
export interface StoreView {
  readonly paths: Paths;
  readonly content: ContentStore;
  readonly links: LinkStore;
  readonly tags: TagStore;
  readonly database: IndexDatabase;
  readonly index: BlobIndex;
  readonly clock: StoreClock;
  readonly past: Past;
  readonly keeper: Keeper;
}

export interface OpenedView extends StoreView, Disposable {}

export interface ViewOptions {
  readonly paths: Paths;
  /** Patterns of the configuration. */
  readonly pins: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * A store as it is, whether a server runs on it or not. Nothing in it changes, and nobody is
 * disturbed. Where its index is of no use one is made in memory, which takes as long as looking
 * through everything does. `undefined` where there is no store.
 */
export async function openView(options: ViewOptions): Promise<OpenedView | undefined> {
  const { paths } = options;
  const content = await existingStore({ paths });
  if (content === undefined) return undefined;
  const kept = new IndexDatabase({ file: paths.blobIndex, access: 'read' });
  if (new Meta(kept).get('counted') === 'yes') return viewOf(options, content, kept);
  kept.close();
  const fresh = new IndexDatabase({ file: ':memory:' });
  const view = await viewOf(options, content, fresh);
  const { signal } = options;
  await scanBlobs({ ...view, signal });
  await scanRepositories({ ...view, signal });
  return view;
}

/** How the system's clock has gone, as the store's index knows it. Nothing changes. */
export function readPast({ blobIndex }: Paths): Past {
  const database = new IndexDatabase({ file: blobIndex, access: 'read' });
  try {
    return new Past({ last: new Meta(database).past });
  } finally {
    database.close();
  }
}

async function viewOf(
  { paths, pins }: ViewOptions,
  content: ContentStore,
  database: IndexDatabase,
): Promise<OpenedView> {
  const index = new BlobIndex(database);
  const patterns = new Pins({ file: paths.pins, configured: () => pins });
  await patterns.read();
  const keeper = new Keeper({
    database,
    index,
    pins: patterns,
    manifest: (digest) => readManifest(content, digest),
    onError: (error) => {
      throw error;
    },
  });
  return {
    paths,
    content,
    links: diskLinks(paths),
    tags: diskTags(paths),
    database,
    index,
    clock: new StoreClock({ last: new Meta(database).clock }),
    past: readPast(paths),
    keeper,
    [Symbol.dispose]: () => database.close(),
  };
}
