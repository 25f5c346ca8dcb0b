import { asError } from '../core/errors.ts';
/** Work that no request waits for and that a clean end does. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onError: (error: Error) => void;

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  run(task: () => Promise<void>): void {
    void this.done(task);
  }

  /** The same for who wants to know when it is over, however it ended. */
  async done(task: () => Promise<void>): Promise<void> {
    const running = task()
      .catch((error: unknown) => this.#onError(asError(error)))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    await running;
  }

  /** What has been begun by now is over, however it ended. */
  async passed(): Promise<void> {
    await Promise.all(this.#running);
  }

  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
