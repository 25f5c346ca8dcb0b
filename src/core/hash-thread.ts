import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { Algorithm, Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { RunningHash } from './running-hash.ts';

/** What the thread is asked; it answers each by a text, in their order. */
export type Asked =
  | { readonly type: 'begin'; readonly id: number; readonly algorithm: Algorithm }
  | { readonly type: 'update'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'digest'; readonly id: number }
  | { readonly type: 'end'; readonly id: number };

/** Sources are run as they are, and the package has them built. */
const PROGRAM = new URL(`hash-worker${path.extname(import.meta.filename)}`, import.meta.url);

/**
 * A thread that hashes, so that the one that reads and writes can go on meanwhile. It keeps the process
 * alive only while something is asked of it. When it ends, whatever waits for it fails.
 */
export class HashThread implements AsyncDisposable {
  readonly #worker: Worker | undefined;
  readonly #waiting: PromiseWithResolvers<string>[] = [];
  #answered = false;
  #failure: RegistryError | undefined;
  #begun = 0;

  constructor(program = PROGRAM) {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    // Not what the process was started with, which may be a program on its command line.
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    try {
      this.#worker = new Worker(program, { name: 'layover-hash', execArgv });
      this.#worker.on('message', (answer: string) => this.#take(answer));
      this.#worker.on('messageerror', (cause) => this.#end(cause));
      this.#worker.on('error', (cause) => this.#end(cause));
      this.#worker.on('exit', () => this.#end());
      this.#worker.unref();
    } catch (cause) {
      // Under a limit of threads there is none, and that is told at once.
      this.#end(cause);
    }
  }

  get ended(): boolean {
    return this.#failure !== undefined;
  }

  /** Whether it has ever answered: one that ended without could not be started. */
  get worked(): boolean {
    return this.#answered;
  }

  /** Bytes in memory that is shared are hashed where they are; others are copied on the way. */
  begin(algorithm: Algorithm): RunningHash {
    this.#begun += 1;
    const id = this.#begun;
    quiet(this.#ask({ type: 'begin', id, algorithm }));
    let open = true;
    return {
      update: async (bytes) =>
        void (await this.#ask({ type: 'update', id, bytes: visible(bytes) })),
      digest: async () => `${algorithm}:${await this.#ask({ type: 'digest', id })}` as Digest,
      [Symbol.dispose]: () => {
        if (open) quiet(this.#ask({ type: 'end', id }));
        open = false;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  async #ask(asked: Asked): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker?.postMessage(asked);
    const waiting = Promise.withResolvers<string>();
    if (this.#waiting.push(waiting) === 1) this.#worker?.ref();
    return waiting.promise;
  }

  #take(answer: string): void {
    this.#answered = true;
    this.#waiting.shift()?.resolve(answer);
    if (this.#waiting.length === 0) this.#worker?.unref();
  }

  #end(cause?: unknown): void {
    const message = 'the thread that hashes content has ended';
    this.#failure ??= new RegistryError('UNKNOWN', message, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

/** A message has all of the memory that bytes lie in, shared or copied. */
function visible(bytes: Uint8Array): Uint8Array {
  const all = bytes.buffer instanceof SharedArrayBuffer || bytes.length === bytes.buffer.byteLength;
  return all ? bytes : Uint8Array.from(bytes);
}

/** Whoever waits for the next answer learns of a failure. */
function quiet(promise: Promise<unknown>): void {
  promise.catch(() => {});
}
