import type { Output } from './output.ts';

/** Characters that are gathered before a slow reader is waited for. */
const MOST_HELD = 64 * 1024;

/** Writes text piece by piece as data. */
export interface LineWriter {
  /** Settles when the next piece may come. */
  write(text: string): Promise<void>;
  /** Settles when everything has been handed over. */
  end(): Promise<void>;
}

/**
 * Gathers pieces for as long as they come without waiting, and writes them as soon as nothing more is
 * at hand: the first line is there at once, and a hundred thousand are few writes.
 */
export function lineWriter(output: Output): LineWriter {
  let held: string[] = [];
  let length = 0;
  let written: Promise<void> = Promise.resolve();
  const flush = (): Promise<void> => {
    const text = held.join('');
    [held, length] = [[], 0];
    if (text !== '') {
      const before = written;
      written = (async () => {
        await before;
        await output.bytes(Buffer.from(text));
      })();
      // Whoever writes next learns of a failure.
      written.catch(() => {});
    }
    return written;
  };
  return {
    async write(text) {
      if (held.length === 0) setImmediate(() => void flush().catch(() => {}));
      held.push(text);
      length += text.length;
      if (length >= MOST_HELD) await flush();
    },
    end: flush,
  };
}
