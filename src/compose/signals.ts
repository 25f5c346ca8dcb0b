import { once } from 'node:events';

/** Milliseconds in which npm passes on what a terminal has sent to everybody already. */
const SAME = 1_000;

/** The first signal asks to end; a second one, which is no echo of it, does not wait for anything. */
export async function ending(): Promise<string> {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const signal = await Promise.race(
    signals.map(async (name) => {
      await once(process, name);
      return name;
    }),
  );
  const asked = performance.now();
  for (const name of signals) {
    process.on(name, () => {
      if (performance.now() - asked > SAME) process.exit(1);
    });
  }
  return signal;
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
