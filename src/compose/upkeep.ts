import type { Choices } from '../cli/actions.ts';
import type { PruneChoices, Upkeep } from '../cli/upkeep-actions.ts';
import type { Config } from '../config/config.ts';
import { parseDuration } from '../config/duration.ts';
import { parseSize } from '../config/size.ts';
import { RegistryError } from '../core/errors.ts';
import { parseImagePattern } from '../core/image-pattern.ts';
import { formatReference, isHost } from '../core/reference.ts';
import type { Administration } from '../http/admin/administration.ts';
import { hostedRepositories } from '../hosted/repositories.ts';
import { Pins } from '../store/budget/pins.ts';
import { Uses } from '../store/budget/uses.ts';
import { existingStore } from '../store/disk.ts';
import { evictable } from '../store/inventory/evictable.ts';
import { cachedImages } from '../store/inventory/images.ts';
import { planPrune, type PruneQuery } from '../store/inventory/prune.ts';
import { usageOf } from '../store/inventory/usage.ts';
import { openView, readPast, type OpenedView } from '../store/inventory/view.ts';
import { diskLinks } from '../store/links.ts';
import { Paths } from '../store/paths.ts';
import { Records } from '../store/records.ts';
import { UploadStore } from '../store/uploads.ts';
import { administrationOf } from './administration.ts';
import { runningServer } from './admin-client.ts';
import { openAlone } from './alone.ts';
import { openHosted } from './hosted.ts';
import { imagePattern } from './patterns.ts';

/** What the verbs do that look after what is cached, wired to the real things. */
export function upkeepOf(configOf: (choices: Choices) => Promise<Config>): Upkeep {
  const viewOf = async (choices: Choices): Promise<OpenedView> => look(await configOf(choices));
  return {
    async usage(choices) {
      using view = await viewOf(choices);
      return usageOf(view.database);
    },
    async *images(choices, patterns) {
      const config = await configOf(choices);
      const wanted = patterns.map((text) => imagePattern(config, text));
      using view = await look(config);
      for await (const image of cachedImages(view)) {
        const { repository, tag, digest } = image;
        const fits = wanted.some((one) =>
          tag === undefined
            ? one.inRepository(repository) && (one.digest ?? digest) === digest
            : one.byTag(repository, tag) || (one.digest === digest && one.inRepository(repository)),
        );
        if (fits || wanted.length === 0) yield image;
      }
    },
    async *leaving(choices, to) {
      const bytes = sizeOf(to);
      const config = await configOf(choices);
      using view = await look(config);
      const { total } = usageOf(view.database);
      const owner = config.offline ? 'nobody' : undefined;
      yield* evictable(view, { stored: total.bytes, to: bytes, owner });
    },
    async evict(choices, to) {
      const bytes = sizeOf(to);
      return change(await configOf(choices), (store) => store.evict(bytes));
    },
    async missed(choices, to, going) {
      using view = await viewOf(choices);
      const { total, kept } = usageOf(view.database);
      const left = total.bytes - going;
      const over = left - sizeOf(to);
      return over <= 0 ? undefined : { left, over, kept: kept.bytes };
    },
    async spared(choices) {
      const config = await configOf(choices);
      using view = await look(config);
      return await sparedBy(view, queryOf(config, choices));
    },
    async stranger(choices, text) {
      const config = await configOf(choices);
      const [host = ''] = imagePattern(config, text).text.split('/', 1);
      if (!isHost(host) || !/[.:]/.test(host) || host.includes('*')) return undefined;
      const known = [...config.upstreams.values()].some(
        (one) => one.host === host || one.aliases.includes(host),
      );
      return known ? undefined : host;
    },
    async planPrune(choices) {
      const config = await configOf(choices);
      using view = await look(config);
      const query = queryOf(config, choices);
      const only = config.offline && query.imported === 'include';
      const { images, content } = await planPrune(
        view,
        only ? { ...query, imported: 'only' } : query,
      );
      return {
        images: images.map(({ repository, tag, digest }) =>
          formatReference(repository, tag ?? digest),
        ),
        blobs: content.size,
        bytes: content.values().reduce((sum, size) => sum + size, 0),
      };
    },
    async prune(choices) {
      const config = await configOf(choices);
      const query = queryOf(config, choices);
      return change(config, (store) => store.prune(query));
    },
    async *garbage(choices) {
      const config = await configOf(choices);
      const paths = new Paths(config.storage.path);
      const content = await existingStore({ paths });
      if (content === undefined) throw noStore(paths);
      const hosted = hostedRepositories({
        records: new Records(paths),
        content,
        uploads: new UploadStore({ paths }),
        uses: new Uses(),
        mirrored: diskLinks(paths),
        dated: readPast(paths).dated(),
        rules: () => ({ ...config.uploads, ...config.gc }),
      });
      yield* hosted.collect('report');
    },
    collect: async (choices) => change(await configOf(choices), (store) => store.collect()),
    async pins(choices) {
      const { storage } = await configOf(choices);
      const pins = new Pins({ file: new Paths(storage.path).pins, configured: () => storage.pins });
      await pins.read();
      return pins.list;
    },
    async pin(choices, text) {
      const config = await configOf(choices);
      return change(config, (store) => store.pin(imagePattern(config, text).text));
    },
    async unpin(choices, text) {
      const config = await configOf(choices);
      return change(config, (store) => store.unpin(imagePattern(config, text).text));
    },
  };
}

type Changes = Pick<Administration, 'evict' | 'prune' | 'collect' | 'pin' | 'unpin'>;

/** By the server that runs on the store; where none runs, by this process with the store locked. */
async function change<T>(config: Config, task: (store: Changes) => Promise<T>): Promise<T> {
  const paths = new Paths(config.storage.path);
  // A store that is not there is not to be made by looking after it.
  if ((await existingStore({ paths })) === undefined) throw noStore(paths);
  const server = await runningServer(paths);
  if (server !== undefined) return task(server);
  await using store = await openAlone(config);
  await store.housekeeping.looked();
  await using hosted = openHosted(() => ({ ...config, hosted: [] }), store);
  return await task(administrationOf(store, hosted));
}

async function look({ storage }: Config): Promise<OpenedView> {
  const paths = new Paths(storage.path);
  const { signal } = new AbortController();
  const view = await openView({ paths, pins: storage.pins, signal });
  if (view !== undefined) return view;
  throw noStore(paths);
}

/** Of the images that the query's patterns fit, those that are kept although they do. */
async function sparedBy(view: OpenedView, query: PruneQuery): Promise<ReadonlyMap<string, number>> {
  const patterns = query.patterns.map(parseImagePattern);
  const spared = new Map<string, number>();
  for await (const { repository, tag, digest, kept } of cachedImages(view)) {
    const goes =
      (kept === 'gone' && query.gone === 'include') ||
      (kept === 'imported' && query.imported === 'include');
    if (kept === undefined || goes) continue;
    const fits = patterns.some((one) =>
      one?.digest !== undefined
        ? one.digest === digest && one.inRepository(repository)
        : tag !== undefined && one?.byTag(repository, tag) === true,
    );
    if (fits) spared.set(kept, (spared.get(kept) ?? 0) + 1);
  }
  return spared;
}

function noStore({ root }: Paths): RegistryError {
  const message = `there is no store in ${root}, which storage.path names`;
  return new RegistryError('STORAGE_UNAVAILABLE', message);
}

function queryOf(
  config: Config,
  { patterns, olderThan, unusedFor, gone, imported }: PruneChoices,
): PruneQuery {
  return {
    patterns: patterns.map((text) => imagePattern(config, text).text),
    gone,
    imported,
    ...(olderThan !== undefined && { olderThan: durationOf(olderThan) }),
    ...(unusedFor !== undefined && { unusedFor: durationOf(unusedFor) }),
  };
}

function sizeOf(text: string): number {
  const size = parseSize(text);
  if (size !== undefined) return size;
  throw new RegistryError('REQUEST_INVALID', `not a size: ${text}; such as 50GiB, or plain bytes`);
}

function durationOf(text: string): number {
  const duration = parseDuration(text);
  if (duration !== undefined) return duration;
  throw new RegistryError('REQUEST_INVALID', `not a duration: ${text}; such as 30d or 12h`);
}
