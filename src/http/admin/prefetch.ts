import { RegistryError } from '../../core/errors.ts';
import { parsePlatform } from '../../core/platform.ts';
import { isCount } from '../../core/shape.ts';
import type { PrefetchEvent, PrefetchSummary } from '../../image/prefetch/event.ts';
import type { PrefetchQuery, PrefetchRun } from '../../image/prefetch/prefetcher.ts';
import { refuseUnknown, type Body } from './bodies.ts';
import { toldOf } from './lines.ts';

/** Bytes of a request: ten thousand names, and long ones. */
export const LARGEST_QUERY = 4 * 1024 * 1024;

/** Lines that wait for a client before those are left out that only say how far blobs are. */
const MOST_WAITING = 200;

const KEYS = ['images', 'platforms', 'referrers', 'maxTags', 'mode'];

/** @throws RegistryError REQUEST_INVALID, NAME_INVALID */
export function prefetchQuery(body: Body): PrefetchQuery {
  refuseUnknown(body, KEYS);
  const { images, platforms = [], referrers = 'left-out', maxTags = 100, mode = 'fetch' } = body;
  if (
    !isTexts(images) ||
    images.length === 0 ||
    !(platforms === 'all' || isTexts(platforms)) ||
    !(referrers === 'left-out' || referrers === 'copied') ||
    !isCount(maxTags) ||
    !(mode === 'fetch' || mode === 'look')
  ) {
    const keys = 'images, platforms (texts, or all), referrers, maxTags, mode';
    throw new RegistryError('REQUEST_INVALID', keys);
  }
  return {
    images,
    platforms: platforms === 'all' ? platforms : platforms.map(parsePlatform),
    referrers,
    maxTags,
    mode,
  };
}

/**
 * Tells of a run while it lasts, one JSON object a line: its events, and at the end a `summary` or an
 * `error`. A client that leaves ends the run.
 */
export function toldAsItGoes(
  run: (options: PrefetchRun) => Promise<PrefetchSummary>,
  onDefect: (error: Error) => void,
): Response {
  const leaving = new AbortController();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async start(controller) {
        const tell = (line: object): void => {
          if (!leaving.signal.aborted)
            controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
        };
        const observe = (event: PrefetchEvent): void => {
          const waiting = -(controller.desiredSize ?? 0);
          if (!event.type.startsWith('blob-') || waiting < MOST_WAITING) tell(event);
        };
        // Not waited for: nothing is read from a stream before its start is over.
        void run({ signal: leaving.signal, observe })
          .then(
            (summary) => tell({ type: 'summary', ...summary }),
            (error: unknown) => tell({ type: 'error', ...toldOf(error, onDefect) }),
          )
          .finally(() => {
            if (!leaving.signal.aborted) controller.close();
          });
      },
      cancel: () => leaving.abort(),
    },
    new CountQueuingStrategy({ highWaterMark: 1 }),
  );
  return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one: unknown) => typeof one === 'string');
}
