import { asError, RegistryError } from '../../core/errors.ts';
import type { Collected } from '../../hosted/collect.ts';
import { collectedLine, CollectionSum } from '../../hosted/collection.ts';
import type { Leaving } from '../../store/inventory/evictable.ts';

/** What an eviction would take, in that order; a `summary` ends it. */
export async function* leavingLines(leaving: AsyncIterable<Leaving>): AsyncGenerator<object> {
  let [blobs, bytes] = [0, 0];
  for await (const one of leaving) {
    blobs += 1;
    bytes += one.size;
    yield one;
  }
  yield { type: 'summary', blobs, bytes };
}

/** What a collection would come upon; a `collection`, which adds it up, ends it. */
export async function* garbageLines(garbage: AsyncIterable<Collected>): AsyncGenerator<object> {
  const sum = new CollectionSum();
  for await (const one of garbage) {
    sum.add(one);
    yield collectedLine(one);
  }
  yield { type: 'collection', ...sum.collection };
}

/**
 * One JSON object a line, as fast as the client reads; one of type `error` ends what could not go on. A
 * client that leaves ends it.
 * @throws what the first line throws: then there is no answer yet
 */
export async function listed(
  lines: AsyncGenerator<object>,
  onDefect: (error: Error) => void,
): Promise<Response> {
  const encoder = new TextEncoder();
  let next: IteratorResult<object> | undefined = await lines.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = next ?? (await lines.next());
        next = undefined;
        if (done === true) return controller.close();
        controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      } catch (error) {
        const line = JSON.stringify({ type: 'error', ...toldOf(error, onDefect) });
        controller.enqueue(encoder.encode(`${line}\n`));
        controller.close();
      }
    },
    cancel: async () => void (await lines.return(undefined)),
  });
  return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
}

/** What a client is told of what went wrong. */
export function toldOf(error: unknown, onDefect: (error: Error) => void): object {
  if (error instanceof RegistryError) return { code: error.code, message: error.message };
  onDefect(asError(error));
  return { code: 'UNKNOWN', message: 'internal error' };
}
