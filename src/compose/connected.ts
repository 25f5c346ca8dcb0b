import { setTimeout as delay } from 'node:timers/promises';
import { Pulse } from '../core/pulse.ts';
import { rewrap } from '../core/rewrap.ts';
import type { Source } from '../core/source.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** An upstream that knows whether anybody uses it, so that it can be closed when nobody does. */
export class Connected implements AsyncDisposable {
  readonly upstream: Upstream;
  /** The upstream; what is asked through this counts as use until it is answered, or disposed. */
  readonly source: Source;
  readonly #ended = new Pulse();
  #uses = 0;
  #begun = 0;
  #closing: Promise<void> | undefined;

  constructor(upstream: Upstream) {
    this.upstream = upstream;
    this.source = {
      resolve: (repository, at) => this.#during(() => upstream.resolve(repository, at)),
      manifest: (repository, at) => this.#during(() => upstream.manifest(repository, at)),
      stat: (repository, digest) => this.#during(() => upstream.stat(repository, digest)),
      tags: (repository) => this.#during(() => upstream.tags(repository)),
      referrers: (repository, digest) => this.#during(() => upstream.referrers(repository, digest)),
      blob: async (repository, digest, range) => {
        using stack = new DisposableStack();
        const use = stack.use(this.#use());
        const blob = await upstream.blob(repository, digest, range);
        stack.move();
        return rewrap(blob, {
          [Symbol.asyncDispose]: async () => {
            using _use = use;
            await blob[Symbol.asyncDispose]();
          },
        });
      },
    };
  }

  /** Settles once nobody has used it for so many milliseconds. @throws the signal's reason */
  async unused(milliseconds: number, signal: AbortSignal): Promise<void> {
    for (let begun = -1; begun !== this.#begun;) {
      while (this.#uses > 0) await this.#ended.wait();
      begun = this.#begun;
      await delay(milliseconds, undefined, { signal, ref: false });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.resolve(this.upstream[Symbol.asyncDispose]());
    await this.#closing;
  }

  async #during<T>(task: () => Promise<T>): Promise<T> {
    using _use = this.#use();
    return await task();
  }

  #use(): Disposable {
    this.#uses += 1;
    this.#begun += 1;
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (over) return;
        over = true;
        this.#uses -= 1;
        this.#ended.give();
      },
    };
  }
}
