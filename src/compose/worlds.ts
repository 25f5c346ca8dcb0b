import { AsyncLocalStorage } from 'node:async_hooks';
import type { Config } from '../config/config.ts';
import type { Serving } from '../http/app.ts';
import type { Upstreams } from './upstreams.ts';

/** Everything that depends on the configuration, made of one: a reload makes another of it. */
export interface World {
  readonly config: Config;
  readonly upstreams: Upstreams;
  readonly serving: Serving;
}

/** Told of a configuration that has come into effect, and of the one before; must not throw. */
export type Follower = (config: Config, before: Config) => void;

/**
 * The configuration in effect. Whoever needs a setting asks for it when it matters, and keeps none.
 * What somebody asked for goes to its end in the world in which it was asked for: a reload in between
 * does not show.
 */
export class Worlds {
  readonly #scope = new AsyncLocalStorage<World>();
  readonly #followers = new Set<Follower>();
  readonly #first: Config;
  #now: World | undefined;
  #enter: <T>(work: () => T) => T = (work) => work();

  /** @param first what is in effect while there is no world yet */
  constructor(first: Config) {
    this.#first = first;
  }

  /** The one in which requests begin. */
  get now(): World {
    if (this.#now === undefined) throw new Error('nothing is in effect yet');
    return this.#now;
  }

  /** The one of the request on whose behalf one works; otherwise the one in effect. */
  get here(): World {
    return this.#scope.getStore() ?? this.now;
  }

  /** The configuration in effect. */
  get config(): Config {
    return this.#now?.config ?? this.#first;
  }

  /** From now on requests begin in this one. Then whoever follows is told, in the same breath. */
  begin(world: World): void {
    const before = this.#now;
    this.#now = world;
    // Made once for all requests: to make it costs more than to use it.
    this.#enter = this.#scope.run(world, () => AsyncLocalStorage.snapshot());
    if (before === undefined) return;
    for (const follower of this.#followers) follower(world.config, before.config);
  }

  /**
   * For what has to do something when the configuration is another, such as a timer that runs by it.
   * What only reads settings asks `config` each time instead.
   */
  follow(follower: Follower): Disposable {
    this.#followers.add(follower);
    return { [Symbol.dispose]: () => void this.#followers.delete(follower) };
  }

  /** Runs work in the world in effect: what it begins goes by that world to its end. */
  enter<T>(work: () => T): T {
    return this.#enter(work);
  }
}
