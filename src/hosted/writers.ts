import type { Digest } from '../core/digest.ts';
import { onDisk } from '../store/on-disk.ts';
import { Serial } from '../store/serial.ts';
import type { UploadFile } from '../store/upload-file.ts';
import { elsewhere, unknown } from './upload-errors.ts';

/** A request that writes to an upload. */
export interface Writer {
  readonly file: UploadFile;
  cancelled: boolean;
  /** Ends the body that is being read. */
  cut: (() => void) | undefined;
}

/** Who writes to which upload: one request at a time, unless its client has come back with another. */
export class Writers {
  readonly #serial = new Serial();
  readonly #writers = new Map<string, Writer>();

  /** Whoever writes to the upload of that name at the moment. */
  of(name: string): Writer | undefined {
    return this.#writers.get(name);
  }

  /**
   * Cuts whoever sends to the upload if the other one, who has just come, knows where that one stands:
   * by the position or by the digest. It is the same client, whose connection was lost in silence.
   * @throws RegistryError RANGE_INVALID for another position
   */
  takeOver(name: string, stands: number | Digest | undefined): void {
    const writer = this.#writers.get(name);
    if (writer?.cut === undefined || stands === undefined) return;
    const { length, hashed } = writer.file;
    if (typeof stands === 'number' && stands !== length) throw elsewhere(length);
    if (typeof stands === 'number' || hashed?.hasher.digest() === stands) writer.cut();
  }

  /** Runs a task while nobody writes to the upload, for which it waits. */
  alone<T>(name: string, task: () => Promise<T>): Promise<T> {
    return this.#serial.run(name, task);
  }

  /**
   * Has the one who writes at a time do so to what `open` finds, which is closed in the end.
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN where it finds nothing
   */
  write<T>(
    name: string,
    open: () => Promise<UploadFile | undefined>,
    task: (writer: Writer) => Promise<T>,
  ): Promise<T> {
    return this.alone(name, async () => {
      await using file = await onDisk(open);
      if (file === undefined) throw unknown();
      const writer: Writer = { file, cancelled: false, cut: undefined };
      this.#writers.set(name, writer);
      try {
        return await task(writer);
      } finally {
        this.#writers.delete(name);
      }
    });
  }
}
