import type { Digest } from '../core/digest.ts';
import type { Finding } from '../image/finder/finding.ts';
import type { PrefetchEvent } from '../image/prefetch/event.ts';
import { formatBytes } from './format-bytes.ts';
import type { Output } from './output.ts';
import { progress, type Bar } from './progress.ts';
import { shortDigest } from './short-digest.ts';

export interface FetchesOptions {
  readonly output: Output;
  readonly mode: 'fetch' | 'look';
  readonly form: 'text' | 'json' | 'quiet';
}

/** What is shown of a run while it lasts. */
export interface Fetches extends Disposable {
  found(finding: Finding): void;
  observe(event: PrefetchEvent): void;
}

/** JSON as it is; or a bar a blob, a line an image; or failures alone. */
export function fetches({ output, mode, form }: FetchesOptions): Fetches {
  if (form === 'json') {
    const print = (value: object): void => output.out(`${JSON.stringify(value)}\n`);
    return {
      found: ({ kind, ...rest }) => print({ type: 'found', kind, ...rest }),
      observe: print,
      [Symbol.dispose]() {},
    };
  }
  if (form === 'quiet') {
    return {
      found: () => {},
      observe: (event) => {
        if (event.type === 'image-failed') output.error(`${event.image}: ${event.reason}\n`);
      },
      [Symbol.dispose]() {},
    };
  }
  const shown = progress({ output });
  const bars = new Map<Digest, { readonly bar: Bar; bytes: number }>();
  return {
    found: (finding) => {
      if (finding.kind === 'skipped') {
        const { file, line, path, reason } = finding;
        const place = line === 0 ? file : `${file}:${line} ${path}`;
        shown.note(`${place}: passed over: ${reason}`);
      }
    },
    observe: (event) => {
      switch (event.type) {
        case 'expanded':
          shown.note(`${event.pattern}: ${event.matched} of ${event.of} tags`);
          break;
        case 'blob-started':
          if (mode === 'fetch') {
            const bar = shown.begin(shortDigest(event.digest), event.size);
            bars.set(event.digest, { bar, bytes: 0 });
          }
          break;
        case 'blob-progress': {
          const one = bars.get(event.digest);
          one?.bar.add(event.bytes - one.bytes);
          if (one !== undefined) one.bytes = event.bytes;
          break;
        }
        case 'blob-done':
          bars.get(event.digest)?.bar.end(ended(event));
          bars.delete(event.digest);
          break;
        case 'image-done':
          for (const line of about(event, mode)) shown.note(line);
          break;
        case 'image-failed':
          shown.note(`${event.image}: ${event.reason}`);
          break;
        case 'image-started':
          break;
      }
    },
    [Symbol.dispose]: () => shown[Symbol.dispose](),
  };
}

function ended({ how, size }: PrefetchEvent & { type: 'blob-done' }): string {
  switch (how) {
    case 'held':
      return `${formatBytes(size)} was here`;
    case 'fetched':
      return `${formatBytes(size)} done`;
    case 'left-out':
      return 'left out: its registry does not hand it on';
    case 'failed':
      return 'failed';
  }
}

function about(event: PrefetchEvent & { type: 'image-done' }, mode: 'fetch' | 'look') {
  const { image, digest, fetched, held, notes } = event;
  const verb = mode === 'fetch' ? 'fetched' : 'would fetch';
  const amounts = `${verb} ${formatBytes(fetched.bytes)} in ${fetched.blobs}, ${formatBytes(held.bytes)} in ${held.blobs} here`;
  return [`${image} ${digest}: ${amounts}`, ...notes.map((note) => `${image}: ${note}`)];
}
