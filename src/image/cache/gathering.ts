import type { Digest } from '../../core/digest.ts';
import { asError } from '../../core/errors.ts';
import type { Repository } from '../../core/reference.ts';
import type { Blob } from '../../core/source.ts';
import type { Ingest } from '../../store/store.ts';
import type { ContentCache } from './content-cache.ts';

/**
 * Keeps blobs that are read part by part. Parts that follow one another from the first byte on are
 * taken in as they pass; with the last one the blob is checked and there, as if it had been read at
 * once. What was begun and not ended is gone on with by whoever wants all of it.
 */
export class Gathering implements AsyncDisposable {
  readonly #cache: ContentCache;
  readonly #begun = new Map<Digest, Gathered>();

  constructor(cache: ContentCache) {
    this.#cache = cache;
  }

  /** The same part, which is taken in as it is read where it is the next one. */
  async follow(repository: Repository, digest: Digest, part: Blob): Promise<Blob> {
    const { span, size } = part;
    const known = this.#begun.get(digest);
    if (known?.busy === true) return part;
    if (span.start !== 0 && known?.position !== span.start) return part;
    // From here on it is this part's: others that come meanwhile see that.
    const gathered = known?.position === span.start ? known : new Gathered(size);
    gathered.busy = true;
    if (gathered !== known) {
      this.#begun.set(digest, gathered);
      // Its file is the one that is gone on with.
      await using undone = new AsyncDisposableStack();
      undone.use(part);
      await known?.give();
      await gathered.open(() => this.#cache.ingest(repository, digest));
      undone.move();
    }
    const release = (): void => {
      gathered.busy = false;
    };
    return {
      size,
      span,
      body: gathered.noting(part.body),
      ...(part.served && { served: part.served }),
      async [Symbol.asyncDispose]() {
        release();
        await part[Symbol.asyncDispose]();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gathered of this.#begun.values()) await gathered.give();
    this.#begun.clear();
  }
}

class Gathered {
  position = 0;
  /** While a part is being read: another one of the same place is none of its business. */
  busy = false;
  readonly #size: number;
  #ingest: Ingest | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  async open(ingest: () => Promise<Ingest>): Promise<void> {
    const opened = await ingest();
    this.#ingest = opened;
    await this.#keeping(() => opened.expect(this.#size));
  }

  async *noting(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await this.#keeping(async (ingest) => {
        // An earlier attempt may have left more than has come by now.
        const known = Math.max(0, ingest.length - this.position);
        if (known < chunk.length) await ingest.write(chunk.subarray(known));
      });
      this.position += chunk.length;
      yield chunk;
    }
    if (this.position !== this.#size) return;
    await this.#keeping(async (ingest) => void (await ingest.commit()));
    await this.give();
  }

  /** What has come stays, for whoever goes on with it. */
  async give(): Promise<void> {
    const ingest = this.#ingest;
    this.#ingest = undefined;
    await ingest?.[Symbol.asyncDispose]();
  }

  /** A fault of the cache is none of the reader's, who has the bytes. */
  async #keeping(work: (ingest: Ingest) => Promise<void>): Promise<void> {
    const ingest = this.#ingest;
    if (ingest === undefined) return;
    try {
      if (ingest.storing) await work(ingest);
    } catch (error) {
      ingest.fail(asError(error));
    }
    if (!ingest.storing) await this.give();
  }
}
