import type { Config } from '../config/config.ts';
import { asError, RegistryError } from '../core/errors.ts';
import { HOSTED } from '../core/hosted.ts';
import { parsePlatform } from '../core/platform.ts';
import { parsePath, type Reference } from '../core/reference.ts';
import type { ImportEvent } from '../image/bundle/event.ts';
import { importBundle, type Imported } from '../image/bundle/import.ts';
import { parseLock } from '../image/bundle/lock.ts';
import type { ImportQuery } from '../image/bundle/query.ts';
import { parseReference } from '../image/location.ts';
import { untilAborted } from '../image/until-aborted.ts';
import { withRegistry } from './patterns.ts';
import { shelfOf, type ShelfSetting } from './shelf.ts';

export interface ImporterOptions extends ShelfSetting {
  /** What becomes of imports. */
  readonly observe?: (event: ImportEvent) => void;
}

/** Imports into an open store, until it is closed. */
export class Importer implements AsyncDisposable {
  readonly #setting: ImporterOptions;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();

  constructor(setting: ImporterOptions) {
    this.#setting = setting;
  }

  /** @throws RegistryError saying what is wrong; nothing of the archive is visible then */
  async import(
    query: ImportQuery,
    bytes: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<Imported> {
    const { name } = query;
    const tell = this.#setting.observe ?? (() => {});
    const since = performance.now();
    tell({ type: 'begun', name });
    const running = this.#import(query, told(name, bytes, tell), signal);
    const settled = running.catch(() => {}).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    try {
      const imported = await running;
      tell({ type: 'imported', name, imported, seconds: (performance.now() - since) / 1000 });
      return imported;
    } catch (error) {
      const left = error instanceof RegistryError && error.code === 'INTERRUPTED';
      const result = left || signal?.aborted === true ? 'interrupted' : 'refused';
      tell({ type: 'ended', name, result, error: asError(error) });
      throw error;
    }
  }

  /** Ends what is under way: of that nothing becomes visible. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new RegistryError('INTERRUPTED', 'the server is stopping'));
    await Promise.all(this.#running);
  }

  async #import(
    { name, lock, as, platforms, tags }: ImportQuery,
    bytes: AsyncIterable<Uint8Array>,
    given: AbortSignal | undefined,
  ): Promise<Imported> {
    const { store, config } = this.#setting;
    const { signal } = this.#closed;
    const ended = given === undefined ? signal : AbortSignal.any([signal, given]);
    // Until it is known how much there is nobody can tell what fits.
    await untilAborted(ended, () => store.housekeeping.looked());
    return importBundle(until(ended, bytes), {
      shelf: shelfOf(this.#setting),
      name,
      tags,
      ...(lock !== undefined && { lock: parseLock(Buffer.from(lock), `the lock for ${name}`) }),
      ...(as !== undefined && { as: nameIn(config(), as) }),
      ...(platforms.length > 0 && { platforms: platforms.map(parsePlatform) }),
      signal: ended,
    });
  }
}

/** The same bytes, of which is told as they come. */
async function* told(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  tell: (event: ImportEvent) => void,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    tell({ type: 'read', name, bytes: chunk.length, total });
    yield chunk;
  }
}

/** The same bytes, ending with the signal's reason also while nothing comes. */
async function* until(
  signal: AbortSignal,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  let refuse: (reason: unknown) => void = () => {};
  const end = (): void => refuse(signal.reason);
  signal.addEventListener('abort', end);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Uint8Array>>();
      refuse = reject;
      iterator.next().then(resolve, reject);
      const next = await promise;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', end);
    // Not waited for: it may be what stands still.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A short name means what lives here, if the configuration says so, and the default upstream's otherwise. */
function nameIn(config: Pick<Config, 'hosted' | 'defaultUpstream'>, text: string): Reference {
  const { hosted } = config;
  const { repository, at } = parseReference(withRegistry(config, text));
  const path = text.replace(/(?:@|:)[^/]*$/, '');
  const lives = !path.startsWith(`${repository.host}/`);
  if (lives && hosted.some((pattern) => pattern.matches(path))) {
    return { repository: { host: HOSTED, path: parsePath(path) }, at };
  }
  return { repository, at };
}
