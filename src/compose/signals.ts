import { RegistryError } from '../core/errors.ts';

/** Milliseconds in which npm passes on what a terminal has sent to everybody already. */
const SAME = 1_000;

/** The first signal asks to end; a second one, which is no echo of it, does not wait for anything. */
export function ending(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked: number | undefined;
  for (const name of ['SIGTERM', 'SIGINT']) {
    // Never without a listener: the echo would end the process on its own.
    process.on(name, () => {
      if (asked !== undefined && performance.now() - asked > SAME) process.exit(1);
      asked ??= performance.now();
      resolve(name);
    });
  }
  return promise;
}

/**
 * Runs the task, which is to end when its signal comes: it does once somebody has asked for the end.
 * Tells who that was, whatever became of the task then.
 * @throws what the task throws otherwise
 */
export async function untilEnded(
  ended: Promise<string>,
  task: (signal: AbortSignal) => Promise<void>,
): Promise<string | undefined> {
  const stop = new AbortController();
  let asked: string | undefined;
  void ended.then((name) => {
    asked = name;
    stop.abort(new RegistryError('INTERRUPTED', `the server is stopping: ${name}`));
  });
  try {
    await task(stop.signal);
  } catch (error) {
    if (asked === undefined) throw error;
  }
  return asked;
}

/** SIGHUP, which no longer ends the process. One that comes before anybody listens is not lost. */
export class Hangups implements Disposable {
  #asked = false;
  #listener: (() => void) | undefined;
  readonly #onSignal = (): void => {
    if (this.#listener === undefined) this.#asked = true;
    else this.#listener();
  };

  constructor() {
    process.on('SIGHUP', this.#onSignal);
  }

  /** Calls the function at each from now on, and at once if there was one; `undefined`: they are nothing. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
    if (!this.#asked || listener === undefined) return;
    this.#asked = false;
    listener();
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#onSignal);
  }
}
