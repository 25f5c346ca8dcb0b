import type { Output } from './output.ts';
import { progress, type Bar } from './progress.ts';

/** One transfer that is shown while it lasts. */
export interface Transfer extends Disposable {
  /** Bytes to come, as far as they are known. */
  begin(bytes: number | undefined): void;
  add(bytes: number): void;
  end(text: string): void;
}

export interface TransferOptions {
  readonly output: Output;
  readonly label: string;
  readonly quiet: true | undefined;
}

/** A bar on a terminal, a line at the end everywhere, nothing if that is wanted. */
export function transfer({ output, label, quiet }: TransferOptions): Transfer {
  if (quiet === true) return { begin() {}, add() {}, end() {}, [Symbol.dispose]() {} };
  const shown = progress({ output });
  let bar: Bar | undefined;
  return {
    begin: (bytes) => void (bar = shown.begin(label, bytes)),
    add: (bytes) => bar?.add(bytes),
    end(text) {
      bar?.end(text);
      shown[Symbol.dispose]();
    },
    [Symbol.dispose]: () => shown[Symbol.dispose](),
  };
}
