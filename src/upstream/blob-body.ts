import type { Span } from '../core/range.ts';
import type { Served } from '../core/served.ts';
import type { Blob, Write } from '../core/source.ts';
import type { Answer } from './answer.ts';
import type { Part } from './blobs.ts';
import { servedBy } from './cache-status.ts';
import { describe, invalid, UpstreamError } from './failure.ts';

/** How a body is read, and what is told of it. */
export interface Reading {
  /** Milliseconds that the reader may take nothing for before the body is ended; no limit if `undefined`. */
  readonly patience: number | undefined;
  /** Called once the body is done with. */
  readonly ended: (how: 'read' | 'failed' | 'disposed') => void;
}

/**
 * The wanted bytes of an answer. Fewer than announced is an error that resuming can mend
 * (UPSTREAM_UNAVAILABLE), more is one that it cannot (UPSTREAM_INVALID). A reader that takes nothing
 * for longer than the patience lasts finds UPSTREAM_TIMEOUT when it comes back.
 */
export class BlobBody implements Blob {
  readonly size: number;
  readonly span: Span;
  readonly served?: Served;
  readonly #answer: Answer;
  readonly #part: Part;
  #ended: Reading['ended'] | undefined;
  readonly #patience: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #abandoned = false;
  #skip: number;
  #left: number;

  constructor(answer: Answer, part: Part, { patience, ended }: Reading) {
    this.size = part.size;
    this.span = part.span;
    const { served } = servedBy(answer);
    if (served !== undefined) this.served = served;
    this.#answer = answer;
    this.#part = part;
    this.#ended = ended;
    this.#skip = part.skip;
    this.#left = part.span.end - part.span.start;
    this.#patience = patience;
    this.#await();
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#chunks();
  }

  async pour(write: Write): Promise<void> {
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      await write(chunk);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('disposed');
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    clearTimeout(this.#timer);
    try {
      // Who had everything already has missed nothing.
      if (this.#abandoned && this.#left > 0) throw this.#late();
      const chunk = await this.#wanted();
      if (chunk === undefined) this.#end('read');
      else this.#await();
      return chunk;
    } catch (error) {
      this.#end('failed');
      throw error;
    }
  }

  async #wanted(): Promise<Uint8Array | undefined> {
    while (this.#left > 0) {
      const chunk = await this.#answer.next();
      if (chunk === undefined) throw this.#short();
      const start = Math.min(this.#skip, chunk.length);
      this.#skip -= start;
      const rest = chunk.subarray(start);
      if (rest.length > this.#left && this.#part.rest === 'none') throw this.#long();
      const wanted = rest.subarray(0, this.#left);
      this.#left -= wanted.length;
      if (wanted.length > 0) return wanted;
    }
    // Reading on to the end tells of bytes that nobody announced, and frees the connection.
    if (this.#part.rest === 'none' && (await this.#answer.next()) !== undefined) throw this.#long();
    return undefined;
  }

  /** For the reader, who has a place that others wait for. */
  #await(): void {
    if (this.#patience === undefined || this.#ended === undefined) return;
    this.#timer = setTimeout(() => {
      this.#abandoned = true;
      this.#end('disposed');
    }, this.#patience).unref();
  }

  #late(): UpstreamError {
    return new UpstreamError(
      'UPSTREAM_TIMEOUT',
      `${describe(this.#answer.subject)}: the part was given up because its reader took nothing for ${this.#patience} ms`,
      { reason: 'timeout', retry: 'useless', reached: 'yes' },
    );
  }

  #short(): UpstreamError {
    const { subject } = this.#answer;
    return new UpstreamError(
      'UPSTREAM_UNAVAILABLE',
      `${describe(subject)}: the blob ended ${this.#left} bytes early`,
      { reason: 'short', retry: 'worthwhile', reached: 'yes' },
    );
  }

  #long(): UpstreamError {
    return invalid(this.#answer.subject, 'the blob has more bytes than announced');
  }

  #end(how: 'read' | 'failed' | 'disposed'): void {
    clearTimeout(this.#timer);
    this.#answer[Symbol.dispose]();
    this.#ended?.(how);
    this.#ended = undefined;
  }
}
