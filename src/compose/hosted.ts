import type { Config } from '../config/config.ts';
import { hostedRepositories, type HostedRepositories } from '../hosted/repositories.ts';
import { upkeep, type UpkeepEvent } from '../hosted/upkeep.ts';
import type { OpenStore } from './store.ts';

export interface OpenHosted extends AsyncDisposable {
  readonly repositories: HostedRepositories;
  /** How many of them have been written to since the start: grows when there is a new one. */
  readonly written: () => number;
}

/** The repositories that live in the store, looked after until disposed. */
export function openHosted(
  config: () => Pick<Config, 'hosted' | 'uploads' | 'gc'>,
  store: OpenStore,
  observe: (event: UpkeepEvent) => void,
): OpenHosted {
  const { content, records, uploads, links } = store;
  const written = new Set<string>();
  const repositories = hostedRepositories({
    records,
    content,
    uploads,
    mirrored: links,
    rules: () => ({ ...config().uploads, ...config().gc }),
    onTags: (repository) => {
      written.add(repository.path);
      store.retagged();
    },
    onHeld: (digest) => store.housekeeping.keeper.host(digest),
    onReleased: (digest) => store.housekeeping.keeper.release(digest),
  });
  const stop = new AbortController();
  const { signal } = stop;
  // Where nothing lives, nothing is looked after: content of repositories that once did stays.
  const every = (): number => (config().hosted.length === 0 ? 0 : config().gc.every);
  const running = upkeep({ hosted: repositories, every, signal, observe });
  return {
    repositories,
    written: () => written.size,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
