import { RegistryError } from '../core/errors.ts';
import { formatPlatform } from '../core/platform.ts';
import { isRecord } from '../core/shape.ts';
import type { PrefetchEvent, PrefetchSummary } from '../image/prefetch/event.ts';
import type { PrefetchQuery, PrefetchRun } from '../image/prefetch/prefetcher.ts';
import { isCode, send } from './admin-client.ts';

/** Characters of one line of the answer. */
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * Has the server at the address fetch, and hands its events on. When the signal comes the server ends
 * the run as well.
 * @throws RegistryError what the server says; INTERRUPTED; STORAGE_UNAVAILABLE when it ends too early
 */
export async function prefetchThere(
  server: { readonly url: string; readonly store: string },
  query: PrefetchQuery,
  { signal, observe }: PrefetchRun,
): Promise<PrefetchSummary> {
  const { platforms } = query;
  const body = {
    ...query,
    platforms: platforms === 'all' ? platforms : platforms.map(formatPlatform),
  };
  try {
    const response = await send(server, { method: 'POST', path: '/api/v1/prefetch', body, signal });
    for await (const line of linesOf(response.body ?? [])) {
      const said: unknown = JSON.parse(line);
      if (!isRecord(said)) continue;
      if (said['type'] === 'summary') return said as unknown as PrefetchSummary;
      if (said['type'] === 'error') throw errorOf(said);
      observe(said as unknown as PrefetchEvent);
    }
  } catch (error) {
    if (signal.aborted) throw new RegistryError('INTERRUPTED', 'interrupted', { cause: error });
    if (error instanceof RegistryError) throw error;
    throw ended(error);
  }
  throw ended(undefined);
}

function ended(cause: unknown): RegistryError {
  const message = 'the server ended before it was done';
  return new RegistryError('STORAGE_UNAVAILABLE', message, { cause });
}

function errorOf({ code, message }: Readonly<Record<string, unknown>>): RegistryError {
  const known = typeof code === 'string' && isCode(code) ? code : 'UNKNOWN';
  return new RegistryError(known, typeof message === 'string' ? message : undefined);
}

async function* linesOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new RangeError('a line of the answer has no end');
    yield* lines.filter((line) => line !== '');
  }
}
