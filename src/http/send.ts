import { pourBlob } from '../core/pour.ts';
import type { Span } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone } from './messages.ts';

/** The `Content-Range` of a part that holds at least one byte (RFC 9110 section 14.4). */
export function contentRange({ span, size }: { span: Span; size: number }): string {
  return `bytes ${span.start}-${span.end - 1}/${size}`;
}

/**
 * Gives the client the blob's bytes; the caller disposes it. Stops at once when the client leaves,
 * without waiting for whatever the blob waits for.
 */
export async function send(exchange: Exchange, blob: Blob): Promise<void> {
  const flow = pourBlob(blob, (chunk) => exchange.write(chunk));
  try {
    await Promise.race([flow, exchange.gone]);
  } catch (error) {
    // Its end is nobody's business any more: disposing the blob ends it.
    flow.catch(() => undefined);
    if (exchange.closed) throw new ClientGone(error);
    throw error;
  }
}
