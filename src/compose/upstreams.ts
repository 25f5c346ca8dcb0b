import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import type { PemFiles } from '../config/pem.ts';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Source } from '../core/source.ts';
import { offlineSource } from '../mirror/offline.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import { Connected } from './connected.ts';
import { connect, credentialsOf, recipeOf, type Recipe } from './recipe.ts';

/** The upstreams of one configuration, ready to be asked. */
export interface Upstreams {
  /** @throws RegistryError NAME_UNKNOWN for a host that is not configured */
  readonly of: (host: string) => Source;
  /** What came under the digest was wrong: whichever address it came from is passed over for a while. */
  distrust(host: string, digest: Digest): void;
}

export interface UpstreamPoolOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The name of this mirror. */
  readonly via: string;
  readonly observe: (event: UpstreamEvent) => void;
  /** An upstream is none any more, or made anew. */
  readonly onLeft?: (host: string) => void;
  /** Nobody has used it since, and its connections are gone. */
  readonly onClosed?: (host: string) => void;
  /** Milliseconds without use after which one that left is closed; ten seconds. */
  readonly linger?: number;
}

/** Upstreams that are not in use yet. */
export interface Prepared {
  readonly upstreams: Upstreams;
  /**
   * They are in use from now on. Those that take no part leave: they are closed when all that was
   * begun by now has passed, and nobody uses them any more.
   */
  readonly enter: (passed: () => Promise<void>) => void;
}

interface Member {
  readonly recipe: Recipe;
  readonly connected: Connected;
  /** What it states of itself is of interest; once it has left, only what it counts is. */
  readonly state: { current: boolean };
}

const LINGER = 10_000;

/**
 * The connections to upstreams, with all that is known of them: tokens, circuits, limits. What stays
 * as it was in another configuration keeps them.
 */
export class UpstreamPool implements AsyncDisposable {
  readonly #options: UpstreamPoolOptions;
  readonly #leaving = new Set<Connected>();
  readonly #stop = new AbortController();
  #members: ReadonlyMap<string, Member> = new Map();

  constructor(options: UpstreamPoolOptions) {
    this.#options = options;
  }

  /** Nothing has changed if this throws: an Error of Node, for a certificate that cannot be used. */
  prepare(config: Config, pem: PemFiles): Prepared {
    const members = new Map<string, Member>();
    for (const settings of config.offline ? [] : config.upstreams.values()) {
      const recipe = recipeOf(settings, this.#options.environment, pem);
      const known = this.#members.get(settings.host);
      const same = known !== undefined && isDeepStrictEqual(known.recipe, recipe);
      members.set(settings.host, same ? known : this.#open(recipe));
    }
    return {
      upstreams: {
        of: (host) => {
          const member = members.get(host);
          if (member !== undefined) return member.connected.source;
          if (config.upstreams.has(host)) return offlineSource(host);
          throw new RegistryError('NAME_UNKNOWN', `${host} is not configured`);
        },
        distrust: (host, digest) => members.get(host)?.connected.upstream.distrust(digest),
      },
      enter: (passed) => {
        const before = this.#members;
        this.#members = members;
        for (const [host, member] of before) {
          if (members.get(host) !== member) void this.#leave(host, member, passed);
        }
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const current = [...this.#members.values()].map(({ connected }) => connected);
    await Promise.all([...current, ...this.#leaving].map((one) => one[Symbol.asyncDispose]()));
  }

  #open(recipe: Recipe): Member {
    const { environment, via, observe } = this.#options;
    const state = { current: true };
    const made = connect(recipe, credentialsOf(recipe, environment), {
      via,
      observe: (event) => {
        if (state.current || !isStatement(event)) observe(event);
      },
    });
    return { recipe, state, connected: new Connected(made) };
  }

  async #leave(
    host: string,
    { state, connected }: Member,
    passed: () => Promise<void>,
  ): Promise<void> {
    const { onLeft, onClosed, linger = LINGER } = this.#options;
    state.current = false;
    this.#leaving.add(connected);
    onLeft?.(host);
    try {
      await passed();
      await connected.unused(linger, this.#stop.signal);
    } catch {
      // The end has come first.
      return;
    }
    await connected[Symbol.asyncDispose]();
    this.#leaving.delete(connected);
    onClosed?.(host);
  }
}

/** How it is, rather than what has happened: of two under one name only the present one can tell. */
function isStatement({ type }: UpstreamEvent): boolean {
  return type === 'load' || type === 'circuit' || type === 'budget';
}
