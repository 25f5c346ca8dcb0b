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
      const said = parsed(line);
      switch (said.type) {
        case 'summary': {
          const { type: _type, ...summary } = said;
          return summary;
        }
        case 'error':
          throw errorOf(said);
        default:
          observe(said);
      }
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

interface Failure {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
}

type Line = PrefetchEvent | ({ readonly type: 'summary' } & PrefetchSummary) | Failure;

/** A line that this program has written at the other end; one of another version may say more. */
function parsed(line: string): Line {
  const said: unknown = JSON.parse(line);
  if (isRecord(said) && typeof said['type'] === 'string') return said as unknown as Line;
  throw new SyntaxError('a line of the answer says nothing');
}

function errorOf({ code, message }: Failure): RegistryError {
  return new RegistryError(isCode(code) ? code : 'UNKNOWN', message);
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
