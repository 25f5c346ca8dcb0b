import type { Bytes } from '../../layer/bytes.ts';
import { isZstd } from '../../layer/zstd.ts';
import { ended, type Fetch } from './fetch.ts';

/** The first piece, and the others. One that is read ahead and the rest of one being read stay below 256 KiB. */
const FIRST = 64 * 1024;
const PIECE = 128 * 1024;

/** A piece that is on its way. */
interface Coming {
  readonly at: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
  cancelled: boolean;
}

export interface Pieces extends Bytes {
  /** Whether the one that is read ahead is the last. */
  readonly arriving: boolean;
}

/**
 * A blob by closed ranges: whoever stops reading has caused less than 256 KiB more to be fetched
 * than was read. Ranges rather than a body that is closed, because a connection buffers more than that.
 * From the second piece on one is read ahead, so that decompressing and waiting overlap; not so with
 * zstd, which gives nothing of a block, 128 KiB at most, before it has all of it.
 */
export function piecesOf(size: number, fetch: Fetch): Pieces {
  let position = 0;
  let ahead: Coming | undefined;
  return {
    get arriving() {
      return ahead?.at === position && ahead.end === size;
    },
    skip: (count) => {
      const passed = Math.min(count, size - position);
      position += passed;
      return passed;
    },
    [Symbol.asyncIterator]: async function* pieces() {
      let whole = false;
      try {
        for (let nth = 0; position < size; nth += 1) {
          if (ahead !== undefined && ahead.at !== position) await cancel(ahead);
          const piece: Coming =
            ahead?.at === position
              ? ahead
              : start(fetch, position, Math.min(size, position + (nth === 0 ? FIRST : PIECE)));
          ahead = undefined;
          const bytes = await piece.bytes;
          position = piece.end;
          if (nth === 0) whole = isZstd(bytes);
          if (nth > 0 && !whole && position < size) {
            ahead = start(fetch, position, Math.min(size, position + PIECE));
          }
          yield bytes;
        }
      } finally {
        if (ahead !== undefined) await cancel(ahead);
        ahead = undefined;
      }
    },
  };
}

function start(fetch: Fetch, at: number, end: number): Coming {
  const coming: Coming = { at, end, cancelled: false, bytes: gather() };
  // Nobody may come for it; who does gets the error all the same.
  coming.bytes.catch(() => {});
  return coming;

  async function gather(): Promise<Uint8Array> {
    const bytes = Buffer.alloc(end - at);
    let length = 0;
    for await (const chunk of fetch({ from: at, to: end - 1 })) {
      bytes.set(chunk.subarray(0, bytes.length - length), length);
      length += chunk.length;
      if (coming.cancelled) break;
    }
    if (length < bytes.length && !coming.cancelled) throw ended(at + length, end);
    return bytes;
  }
}

/** Waits until nothing is open any more: what is fetched has been told when the reading ends. */
async function cancel(coming: Coming): Promise<void> {
  coming.cancelled = true;
  await coming.bytes.catch(() => {});
}
