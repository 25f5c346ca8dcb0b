import type { Span } from '../core/range.ts';
import type { Write } from '../core/source.ts';
import type { Buffers } from './buffers.ts';

/** Content that can be read at any position, perhaps only after a wait. */
export interface Reader {
  /**
   * At least one byte from `position` on, fewer than fit if there are no more yet: a part of
   * `into`, or of memory that stays as it is. Throws when there will be none.
   */
  read(position: number, into: Buffer): Promise<Uint8Array>;
}

/** Sees chunks in their order: one stays as it is until the promise settles. */
export type See = (chunk: Uint8Array) => Promise<void> | undefined;

/** Bytes of each chunk that is given away for good. */
const CHUNK = 256 * 1024;

/** The bytes of the span in chunks that belong to whoever receives them, once `see` has seen them. */
export async function* iterate(reader: Reader, span: Span, see?: See): AsyncGenerator<Uint8Array> {
  let position = span.start;
  while (position < span.end) {
    const into = Buffer.allocUnsafeSlow(Math.min(CHUNK, span.end - position));
    const chunk = await reader.read(position, into);
    position += chunk.length;
    await see?.(chunk);
    yield chunk;
  }
}

/**
 * The bytes of the span by way of two buffers that alternate, so that reading runs ahead while the
 * other one is being written and seen. Settles only when no buffer is in use any more.
 */
export async function pour(
  reader: Reader,
  span: Span,
  buffers: Buffers,
  write: Write,
  see?: See,
): Promise<void> {
  using first = buffers.lend(span.end - span.start);
  using second = buffers.lend(span.end - span.start - first.bytes.length);
  let [mine, other] = [first.bytes, second.bytes];
  let [written, writing] = [Promise.resolve(), Promise.resolve()];
  try {
    for (let position = span.start; position < span.end;) {
      await written;
      const wanted = Math.min(mine.length, span.end - position);
      const chunk = await reader.read(position, mine.subarray(0, wanted));
      position += chunk.length;
      written = writing;
      writing = quiet(see === undefined ? write(chunk) : both(see(chunk), write(chunk)));
      [mine, other] = [other, mine];
    }
    await written;
    await writing;
  } finally {
    await Promise.allSettled([written, writing]);
  }
}

/** Settles when both have: until then the buffer is in use. */
async function both(seeing: Promise<void> | undefined, writing: Promise<void>): Promise<void> {
  const ended = await Promise.allSettled([seeing, writing]);
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

/** A failure is met where the promise is awaited; until then it is nobody's unhandled rejection. */
function quiet(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
