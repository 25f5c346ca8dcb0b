import type { Span } from '../core/range.ts';
import type { Blob, Write } from '../core/source.ts';
import type { Answer } from './answer.ts';
import type { Part } from './blobs.ts';
import { describe, invalid, UpstreamError } from './failure.ts';

/**
 * The wanted bytes of an answer. Fewer than announced is an error that resuming can mend
 * (UPSTREAM_UNAVAILABLE), more is one that it cannot (UPSTREAM_INVALID).
 */
export class BlobBody implements Blob {
  readonly size: number;
  readonly span: Span;
  readonly #answer: Answer;
  readonly #part: Part;
  #ended: ((how: 'read' | 'failed' | 'disposed') => void) | undefined;
  #skip: number;
  #left: number;

  constructor(answer: Answer, part: Part, ended: (how: 'read' | 'failed' | 'disposed') => void) {
    this.size = part.size;
    this.span = part.span;
    this.#answer = answer;
    this.#part = part;
    this.#ended = ended;
    this.#skip = part.skip;
    this.#left = part.span.end - part.span.start;
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
    try {
      const chunk = await this.#wanted();
      if (chunk === undefined) this.#end('read');
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
    this.#answer[Symbol.dispose]();
    this.#ended?.(how);
    this.#ended = undefined;
  }
}
