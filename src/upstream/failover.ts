import { RegistryError } from '../core/errors.ts';
import { Recent } from '../core/recent.ts';
import type { Clock, Deadline } from './clock.ts';
import type { Effort, Endpoint } from './endpoint.ts';

/** Milliseconds that a mirror is passed over for something that it broke off. */
const AVOIDED = 60_000;

/** Blobs of which it is known which mirror served them, or is passed over for them. */
const REMEMBERED = 1_000;

export interface FailoverOptions {
  readonly mirrors: readonly Endpoint[];
  /** Whose word counts: what it says is the answer. */
  readonly main: Endpoint;
  /** At `main` alone: a failing mirror has something behind it. */
  readonly retries: number;
  readonly clock: Clock;
}

/** The endpoints of one upstream, in order: what one does not have or give, the next is asked for. */
export class Failover {
  readonly #options: FailoverOptions;
  readonly #avoided = new Recent<number>(REMEMBERED);
  readonly #served = new Recent<Endpoint>(REMEMBERED);

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  /** @param key names what is asked for, where mirrors may be avoided for it */
  async run<T>(
    deadline: Deadline,
    task: (endpoint: Endpoint, effort: Effort) => Promise<T>,
    key?: string,
  ): Promise<T> {
    const { main, retries } = this.#options;
    const mirrors = this.#options.mirrors.filter((_, index) => !this.#avoids(index, key));
    for (const [index, mirror] of mirrors.entries()) {
      try {
        const share = deadline.share(mirrors.length - index);
        const result = await task(mirror, { deadline: share, retries: 0 });
        if (key !== undefined) this.#served.note(key, mirror);
        return result;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code === 'RANGE_INVALID') throw error;
      }
    }
    if (key !== undefined) this.#served.forget(key);
    return await task(main, { deadline, retries });
  }

  /** At `main` and nowhere else: what is written, and what is read in order to write. */
  get writable(): { readonly endpoint: Endpoint; readonly retries: number } {
    return { endpoint: this.#options.main, retries: this.#options.retries };
  }

  /** Passes a mirror over for `key` for a while: it began well and ended badly. */
  avoid(endpoint: Endpoint, key: string): void {
    const index = this.#options.mirrors.indexOf(endpoint);
    if (index < 0) return;
    this.#avoided.note(`${index} ${key}`, this.#options.clock.now() + AVOIDED);
  }

  /** Passes the mirror over that served `key` last. */
  distrust(key: string): void {
    const mirror = this.#served.get(key);
    if (mirror !== undefined) this.avoid(mirror, key);
  }

  #avoids(index: number, key: string | undefined): boolean {
    return (this.#avoided.get(`${index} ${key}`) ?? 0) > this.#options.clock.now();
  }
}
