import type { FileHandle } from 'node:fs/promises';

/** Bytes: the disk has something to do early on, and is not asked too often. */
const STEP = 128 * 1024 * 1024;

/** Brings a large file to the disk while it is being written, so that little is left to wait for at its end. */
export class WriteBack {
  readonly #file: Pick<FileHandle, 'datasync' | 'sync'>;
  readonly #step: number;
  #written = 0;
  #running: Promise<void> | undefined;
  /** The system tells once that it could not write, to whoever asks first. */
  #failure: { readonly error: unknown } | undefined;

  constructor(file: Pick<FileHandle, 'datasync' | 'sync'>, step = STEP) {
    this.#file = file;
    this.#step = step;
  }

  /** So many more bytes have been written. */
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written < this.#step || this.#running !== undefined) return;
    this.#written = 0;
    this.#running = this.#file
      .datasync()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** The disk has everything. @throws Error of Node, also for what failed on the way */
  async finish(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#file.sync();
  }

  /** The file is used no longer. */
  async stop(): Promise<void> {
    await this.#running;
  }
}
