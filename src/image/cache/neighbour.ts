import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Blob } from '../../core/source.ts';
import type { Buffers } from '../../store/buffers.ts';
import { absent } from '../../store/small-file.ts';
import type { Reader } from '../../store/stream.ts';
import { streamed } from '../../store/streamed.ts';

/** Milliseconds between two looks for more, and from which on there is a look at the neighbour itself. */
const SHORTEST = 5;
const LONGEST = 100;

/**
 * Bytes a second of waiting. What gives less hangs, or is held up by something that need not concern
 * others. A line that is just slow gives more: there a second request would take from the first.
 */
const SLOWEST = 16 * 1024;

/** Thrown to whoever reads a neighbour's file when no more of it is to be expected. */
export class NeighbourLost extends Error {
  /** `ended`: nobody writes the file any more. `stalled`: somebody may, and did hardly for too long. */
  readonly reason: 'ended' | 'stalled';
  /** The file. */
  readonly file: string;

  constructor(file: string, reason: 'ended' | 'stalled') {
    super(`${file} does not grow any more`);
    this.name = 'NeighbourLost';
    this.file = file;
    this.reason = reason;
  }
}

export interface NeighbourOptions {
  /** The file, which another process writes from its first byte to its last. */
  readonly name: string;
  /** Whether that process has ended. */
  readonly gone: () => boolean;
  /** Milliseconds of waiting for hardly a byte after which it is not waited for any longer. */
  readonly patience: number;
  readonly buffers: Buffers;
}

/** What another process is fetching. Nothing of it has been verified. */
export interface Neighbour extends AsyncDisposable {
  readonly name: string;
  /** Follows it as it grows; the neighbour is disposed with the blob. @throws while reading, NeighbourLost */
  follow(from: number, size: number): Blob;
}

/** `undefined` where the file is no longer there. */
export async function neighbour(options: NeighbourOptions): Promise<Neighbour | undefined> {
  const handle = await absent(open(options.name, 'r'));
  if (handle === undefined) return undefined;
  const growing = new Growing(handle, options);
  const release = (): Promise<void> => growing[Symbol.asyncDispose]();
  const { name, buffers } = options;
  return {
    name,
    follow: (from, size) =>
      streamed({ size, span: { start: from, end: size }, reader: growing, buffers, release }),
    [Symbol.asyncDispose]: release,
  };
}

class Growing implements Reader, AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #options: NeighbourOptions;
  readonly #stop = new AbortController();
  /** Milliseconds waited, and bytes come, from the first byte after it was last found to be fast enough. */
  #waited = 0;
  #come = 0;

  constructor(handle: FileHandle, options: NeighbourOptions) {
    this.#handle = handle;
    this.#options = options;
  }

  async read(position: number, into: Buffer): Promise<Uint8Array> {
    const { patience, name } = this.#options;
    let ended = false;
    // Waits are added up: whoever was stopped for a while has not waited meanwhile.
    let waited = 0;
    for (let wait = SHORTEST; ; wait = Math.min(2 * wait, LONGEST)) {
      const bytesRead = await this.#bytes(position, into);
      if (bytesRead > 0) return this.#took(into.subarray(0, bytesRead));
      if (ended) throw new NeighbourLost(name, 'ended');
      if (waited >= patience || this.#crawls()) throw new NeighbourLost(name, 'stalled');
      await delay(wait, undefined, { signal: this.#stop.signal });
      waited += wait;
      this.#waited += wait;
      // Before the next look: what was written before the end is there then.
      ended = wait === LONGEST && (await this.#ended());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#handle.close();
  }

  #took(chunk: Uint8Array): Uint8Array {
    if (this.#come === 0) this.#waited = 0;
    this.#come += chunk.length;
    return chunk;
  }

  /** Whether it gave too little while it was waited for as long as is patient. */
  #crawls(): boolean {
    if (this.#waited < this.#options.patience) return false;
    const crawls = this.#come * 1000 < SLOWEST * this.#waited;
    [this.#waited, this.#come] = [0, 0];
    return crawls;
  }

  async #bytes(position: number, into: Buffer): Promise<number> {
    try {
      return (await this.#handle.read(into, 0, into.length, position)).bytesRead;
    } catch {
      throw new NeighbourLost(this.#options.name, 'stalled');
    }
  }

  /** Whether the file has another name by now, or none, or nobody who writes it. */
  async #ended(): Promise<boolean> {
    const [named, mine] = [await absent(stat(this.#options.name)), await this.#handle.stat()];
    return named === undefined || named.ino !== mine.ino || this.#options.gone();
  }
}
