import type { Digest } from '../core/digest.ts';
import { formatPlatform } from '../core/platform.ts';
import type { BlobFrom, CopyEvent, Observe } from '../image/copy/event.ts';
import { formatBytes } from './format-bytes.ts';
import type { Output } from './output.ts';
import { progress, type Bar } from './progress.ts';
import { shortDigest } from './short-digest.ts';

/** What is shown of a run while it lasts. */
export interface Transfers extends Disposable {
  readonly observe: Observe;
}

export interface TransfersOptions {
  readonly output: Output;
  readonly quiet: true | undefined;
  /** What the images are called, by their number. */
  readonly names: readonly string[];
}

const ENDED: Readonly<Record<BlobFrom, string>> = {
  cache: 'from the cache',
  neighbour: 'from another process, which was fetching it',
  'mirror-hit': 'from the mirror, which had it',
  'mirror-filled': 'through the mirror, which has it now',
  mirror: 'through the mirror',
  upstream: 'done',
  disk: 'done',
  present: 'was there already',
  mounted: 'mounted from another repository',
};

/** A bar a blob on a terminal, a line a blob elsewhere. */
export function transfers({ output, quiet, names }: TransfersOptions): Transfers {
  if (quiet === true) return { observe: () => {}, [Symbol.dispose]() {} };
  const shown = progress({ output });
  const running = new Map<Digest, { readonly bar: Bar; bytes: number }>();
  const end = (digest: Digest, text: string): void => {
    running.get(digest)?.bar.end(text);
    running.delete(digest);
  };
  const observe = (event: CopyEvent): void => {
    switch (event.type) {
      case 'image-chosen': {
        const platform = event.platform ? ` (${formatPlatform(event.platform)})` : '';
        shown.note(`${names[event.image] ?? ''}${platform}: ${event.descriptor.digest}`);
        break;
      }
      case 'blob-started': {
        const { digest, size } = event.descriptor;
        running.set(digest, { bar: shown.begin(shortDigest(digest), size), bytes: 0 });
        break;
      }
      case 'blob-progress': {
        const one = running.get(event.descriptor.digest);
        one?.bar.add(event.bytes - one.bytes);
        if (one !== undefined) one.bytes = event.bytes;
        break;
      }
      case 'blob-done': {
        const { digest, size } = event.descriptor;
        end(digest, `${formatBytes(size)} ${ENDED[event.from]}`);
        break;
      }
      case 'blob-left-out': {
        const text = 'left out: it may not be handed on';
        const { digest } = event.descriptor;
        if (running.has(digest)) end(digest, text);
        else shown.note(`${shortDigest(digest)}: ${text}`);
        break;
      }
      case 'blob-read':
      case 'manifest-done':
        break;
    }
  };
  return { observe, [Symbol.dispose]: () => shown[Symbol.dispose]() };
}
