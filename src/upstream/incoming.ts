import type { Dispatcher } from 'undici';
import type { Meter } from './meter.ts';

/** Bytes that may wait for their reader before the connection is paused. */
const MOST_QUEUED = 512 * 1024;

/** A body of which no more than this is missing is read to its end rather than cut: that keeps the connection. */
const WORTH_DRAINING = 64 * 1024;

/**
 * A response body as it comes from the connection, read once, by `next`. What nobody reads holds the
 * connection, so it ends with `close` on every path. Errors are the connection's own.
 */
export class Incoming {
  readonly #controller: Dispatcher.DispatchController;
  readonly #meter: Meter;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #state: 'open' | 'ended' | 'failed' | 'closed' = 'open';
  #error: unknown;
  #left: number;
  #wake: (() => void) | undefined;

  /** @param length what `Content-Length` announced, as far as it did */
  constructor(controller: Dispatcher.DispatchController, length: number | undefined, meter: Meter) {
    this.#controller = controller;
    this.#left = length ?? Infinity;
    this.#meter = meter;
  }

  /** Whether no more bytes are announced, as in an answer to HEAD. */
  get expectsNothing(): boolean {
    return this.#left <= 0;
  }

  /** The next chunk, which nobody else will touch; `undefined` at the end. Throws what ended the body early. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk !== undefined) {
        this.#queued -= chunk.length;
        if (this.#state === 'open' && this.#queued < MOST_QUEUED / 2) this.#controller.resume();
        return chunk;
      }
      if (this.#state === 'failed') throw this.#error;
      if (this.#state !== 'open') return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Lets the connection go: for other requests when little is missing, else by ending it. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#queue = [];
    if (this.#left <= WORTH_DRAINING) this.#controller.resume();
    else this.#controller.abort(new Error('no longer wanted'));
    this.#rouse();
  }

  push(chunk: Uint8Array): void {
    this.#meter.add(chunk.length);
    this.#left -= chunk.length;
    if (this.#state !== 'open') return;
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued >= MOST_QUEUED) this.#controller.pause();
    this.#rouse();
  }

  end(): void {
    this.#meter.flush();
    if (this.#state === 'open') this.#state = 'ended';
    this.#rouse();
  }

  fail(error: unknown): void {
    this.#meter.flush();
    if (this.#state === 'open') {
      this.#state = 'failed';
      this.#error = error;
    }
    this.#rouse();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
