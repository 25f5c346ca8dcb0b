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
