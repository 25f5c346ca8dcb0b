import { setTimeout as after } from 'node:timers/promises';
import type { Descriptor } from '../core/descriptor.ts';
import { algorithmOf, Hasher } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Blob } from '../core/source.ts';
import type { Content } from '../core/sink.ts';

/** Bytes that go before the pause: after a single one an upload's `Range` is that of an empty one. */
const ADVANCE = 2;

/**
 * `warily`: after the first bytes there is a pause in which the other side may refuse. Written to at full
 * speed, a connection that was refused and closed ends in an error that hides the refusal.
 */
export type Pace = 'at-once' | 'warily';

/** Milliseconds. */
const PAUSE = 300;

interface Reader {
  readonly blob: Blob;
  readonly chunks: AsyncIterator<Uint8Array>;
  /** Where in the content the next byte is from. */
  at: number;
  /** What a piece left of its chunk. */
  rest: Uint8Array | undefined;
}

/**
 * Content on its way out, in pieces that may be asked for again. It is hashed as it leaves for the
 * first time, and its last bytes are given only when all of them were right, so that nothing wrong
 * can ever be sent whole.
 */
export class Outgoing implements AsyncDisposable {
  readonly #descriptor: Descriptor;
  readonly #content: Content;
  readonly #progress: (bytes: number) => void;
  readonly #hasher: Hasher;
  #hashed = 0;
  #told = 0;
  /** Where the next piece may go on; taken away while a piece is being read. */
  #idle: Reader | undefined;
  #active: Reader | undefined;
  #failure: unknown;

  constructor(descriptor: Descriptor, content: Content, progress: (bytes: number) => void) {
    this.#descriptor = descriptor;
    this.#content = content;
    this.#progress = progress;
    this.#hasher = new Hasher(algorithmOf(descriptor.digest));
  }

  /** Bytes that have been read from the beginning on: a registry cannot have more of them. */
  get known(): number {
    return this.#hashed;
  }

  /** What kept the content from coming, since the last piece was begun. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The bytes from `start` up to, not including, `end`. Beginning a piece ends the one before. */
  async *pieces(start: number, end: number, pace: Pace): AsyncGenerator<Uint8Array> {
    this.#failure = undefined;
    let reader: Reader | undefined;
    let finished = false;
    try {
      reader = await this.#readerAt(start);
      this.#progress(start - this.#told);
      this.#told = start;
      for (let wary = pace === 'warily'; reader.at < end; wary = false) {
        const chunk = await this.#next(
          reader,
          wary ? Math.min(ADVANCE, end - reader.at) : end - reader.at,
        );
        this.#told += chunk.length;
        this.#progress(chunk.length);
        yield chunk;
        if (wary) await after(PAUSE);
      }
      finished = true;
    } catch (error) {
      // Of an attempt that was given up nobody wants to know how it ended.
      if (reader === undefined || reader === this.#active) this.#failure = error;
      throw error;
    } finally {
      if (finished) this.#idle = reader;
      else if (reader !== undefined) await reader.blob[Symbol.asyncDispose]();
    }
  }

  /** The proof of content that has no bytes. @throws RegistryError DIGEST_INVALID */
  requireEmpty(): void {
    if (this.#hasher.digest() !== this.#descriptor.digest) throw this.#wrong();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const readers = new Set([this.#idle, this.#active]);
    this.#idle = undefined;
    this.#active = undefined;
    for (const reader of readers) await reader?.blob[Symbol.asyncDispose]();
  }

  async #readerAt(start: number): Promise<Reader> {
    const idle = this.#idle;
    if (idle?.at === start) {
      this.#idle = undefined;
      this.#active = idle;
      return idle;
    }
    await this[Symbol.asyncDispose]();
    const { size } = this.#descriptor;
    const blob = await this.#content(start === 0 ? undefined : { from: start });
    const reader = { blob, chunks: blob.body[Symbol.asyncIterator](), at: start, rest: undefined };
    this.#active = reader;
    if (blob.size !== size) throw this.#sized(`is ${blob.size}`);
    if (blob.span.start === start && blob.span.end === size) return reader;
    throw this.#sized(`came as ${blob.span.start} to ${blob.span.end} when asked from ${start} on`);
  }

  async #next(reader: Reader, most: number): Promise<Uint8Array> {
    const chunk = reader.rest ?? (await this.#read(reader));
    const piece = chunk.subarray(0, most);
    reader.rest = piece.length < chunk.length ? chunk.subarray(piece.length) : undefined;
    reader.at += piece.length;
    return piece;
  }

  async #read(reader: Reader): Promise<Uint8Array> {
    const { size } = this.#descriptor;
    for (;;) {
      const { done, value } = await reader.chunks.next();
      // An attempt that was given up may come back from its wait: it must not touch the hash.
      if (reader !== this.#active) throw this.#sized('is no longer wanted');
      if (done === true) throw this.#sized(`ended after ${reader.at}`);
      const end = reader.at + value.length;
      if (end > size) throw this.#sized(`is at least ${end}`);
      this.#hash(reader.at, value);
      if (end === size) await this.#finish(reader);
      if (value.length > 0) return value;
    }
  }

  #hash(at: number, chunk: Uint8Array): void {
    const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, this.#hashed - at)));
    this.#hasher.update(fresh);
    this.#hashed += fresh.length;
  }

  async #finish({ chunks }: Reader): Promise<void> {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      if (value.length > 0) throw this.#sized('is more');
    }
    if (this.#hasher.digest() !== this.#descriptor.digest) throw this.#wrong();
  }

  #wrong(): RegistryError {
    const { digest } = this.#descriptor;
    return new RegistryError(
      'DIGEST_INVALID',
      `the content that was to be sent as ${digest} is ${this.#hasher.digest()}`,
    );
  }

  #sized(what: string): RegistryError {
    const { digest, size } = this.#descriptor;
    return new RegistryError(
      'SIZE_INVALID',
      `the content that was to be sent as ${digest} ${what} bytes, not ${size}`,
    );
  }
}
