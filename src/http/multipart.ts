import { randomBytes } from 'node:crypto';
import { RegistryError } from '../core/errors.ts';
import { spanOf, type Range, type Span } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import type { Fields } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { contentRange, send } from './send.ts';

/** A `multipart/byteranges` body (RFC 9110 section 14.6) whose length is known beforehand. */
export interface Plan {
  readonly boundary: string;
  readonly parts: readonly Part[];
  readonly tail: Uint8Array;
  /** Of the whole body, in bytes. */
  readonly length: number;
}

interface Part {
  readonly head: Uint8Array;
  readonly span: Span;
}

/**
 * Lays out the parts that the blob can satisfy, in the order asked for. `undefined` when together
 * they are more than the blob, which is then better sent whole (RFC 9110 section 17.15).
 * @throws RegistryError RANGE_INVALID if none of them can be satisfied
 */
export function planParts(
  ranges: readonly Range[],
  size: number,
  contentType: string,
): Plan | undefined {
  const spans = ranges.flatMap((range) => satisfiable(range, size));
  if (spans.length === 0) {
    throw new RegistryError(
      'RANGE_INVALID',
      `the blob has ${size} bytes, none of them in a range`,
      {
        detail: { size },
      },
    );
  }
  const content = spans.reduce((sum, { start, end }) => sum + (end - start), 0);
  if (content > size) return undefined;
  const boundary = randomBytes(18).toString('hex');
  const parts = spans.map((span, index) => ({
    span,
    head: Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${contentRange({ span, size })}\r\n\r\n`,
    ),
  }));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const frame = parts.reduce((sum, { head }) => sum + head.length, tail.length);
  return { boundary, parts, tail, length: content + frame };
}

/** Opens one part after the other; the first one before anything is promised to the client. */
export async function answerParts(
  exchange: Exchange,
  open: (range: Range) => Promise<Blob>,
  plan: Plan,
  fields: Fields,
): Promise<void> {
  for (const { head, span } of plan.parts) {
    await using blob = await open({ from: span.start, to: span.end - 1 });
    if (!exchange.begun) {
      exchange.served = blob.served;
      const contentType = `multipart/byteranges; boundary=${plan.boundary}`;
      exchange.begin(206, { ...fields, 'Content-Type': contentType }, plan.length);
    }
    await exchange.write(head);
    await send(exchange, blob);
  }
  await exchange.write(plan.tail);
  exchange.end();
}

function satisfiable(range: Range, size: number): readonly Span[] {
  try {
    return [spanOf(range, size)];
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'RANGE_INVALID') return [];
    throw error;
  }
}
