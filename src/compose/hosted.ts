import type { Config } from '../config/config.ts';
import {
  hostedRepositories,
  type HostedOptions,
  type HostedRepositories,
} from '../hosted/repositories.ts';
import { upkeep, type UpkeepEvent } from '../hosted/upkeep.ts';
import type { OpenStore } from './store.ts';

export interface OpenHosted extends AsyncDisposable {
  readonly repositories: HostedRepositories;
  /** Grows when there is a new one, and when there may be one less. */
  readonly edition: () => number;
}

/** The repositories that live in the store, looked after until disposed; see `HostedOptions` for `mountable`. */
export function openHosted(
  config: () => Pick<Config, 'hosted' | 'uploads' | 'gc'>,
  store: OpenStore,
  observe: (event: UpkeepEvent) => void = () => {},
  mountable?: HostedOptions['mountable'],
): OpenHosted {
  const { content, records, uploads, links } = store;
  const written = new Set<string>();
  let edition = 0;
  const repositories = hostedRepositories({
    records,
    content,
    uploads,
    uses: store.housekeeping.uses,
    mirrored: links,
    dated: store.housekeeping.past.dated(),
    ...(mountable && { mountable }),
    rules: () => ({ ...config().uploads, ...config().gc }),
    onTags: ({ path }, how) => {
      if (how === 'deleted' || !written.has(path)) edition += 1;
      if (how === 'deleted') written.delete(path);
      else written.add(path);
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
    edition: () => edition,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
