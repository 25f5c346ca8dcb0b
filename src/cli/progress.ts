import { formatBytes } from './format-bytes.ts';
import type { Output } from './output.ts';

/** One transfer among those that are shown. */
export interface Bar {
  /** So many more bytes have come; fewer, when a piece comes anew. */
  add(bytes: number): void;
  /** It is over: what to say of it in the line that stays. */
  end(text: string): void;
}

/** Disposed, it leaves the terminal as it should be, whatever was under way. */
export interface Progress extends Disposable {
  /** @param size bytes to come, as far as they are known */
  begin(label: string, size: number | undefined): Bar;
  /** A line that stays. */
  note(text: string): void;
}

export interface ProgressOptions {
  readonly output: Output;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** Milliseconds between two drawings on a terminal. */
const REDRAWN = 100;

/** Milliseconds between two lines where nobody watches, such as in a log of CI. */
const TOLD = 10_000;

const CLEAR = '\r\u001b[J';
const BAR = 24;

interface Shown {
  readonly label: string;
  readonly size: number | undefined;
  readonly since: number;
  bytes: number;
}

/**
 * Shows transfers while they last: on a terminal a bar each, redrawn in place below the lines that
 * stay; elsewhere a plain line when one has ended, and every ten seconds one about all of them.
 */
export function progress({
  output,
  now = performance.now.bind(performance),
}: ProgressOptions): Progress {
  const running = new Set<Shown>();
  const drawn = { lines: 0 };
  const watched = output.watched === 'yes';

  const draw = (stays = ''): void => {
    const up = drawn.lines > 0 ? `\u001b[${drawn.lines}A` : '';
    const lines = [...running].map((one) => `${barLine(one, now(), output.columns)}\n`);
    output.error(`${up}${CLEAR}${stays}${lines.join('')}`);
    drawn.lines = lines.length;
  };
  const tell = (): void => {
    if (running.size > 0) output.error(`${summary([...running], now())}\n`);
  };
  const note = (text: string): void => {
    if (watched) draw(`${text}\n`);
    else output.error(`${text}\n`);
  };
  const timer = setInterval(watched ? draw : tell, watched ? REDRAWN : TOLD).unref();

  return {
    begin(label, size) {
      const one: Shown = { label, size, since: now(), bytes: 0 };
      running.add(one);
      return {
        add: (bytes) => void (one.bytes += bytes),
        end(text) {
          running.delete(one);
          note(`${label}: ${text}`);
        },
      };
    },
    note,
    [Symbol.dispose]() {
      clearInterval(timer);
      running.clear();
      if (drawn.lines > 0) draw();
    },
  };
}

function barLine({ label, size, since, bytes }: Shown, now: number, columns: number): string {
  const share = size === undefined || size === 0 ? 0 : Math.min(1, Math.max(0, bytes / size));
  const full = Math.round(share * BAR);
  const bar = `[${'='.repeat(full)}${' '.repeat(BAR - full)}]`;
  const amount = size === undefined ? formatBytes(bytes) : amountOf(bytes, size);
  return `${label} ${bar} ${amount} ${speed(bytes, now - since)}`.slice(
    0,
    Math.max(1, columns - 1),
  );
}

function summary(running: readonly Shown[], now: number): string {
  const bytes = running.reduce((sum, one) => sum + one.bytes, 0);
  const size = running.reduce((sum, one) => sum + (one.size ?? one.bytes), 0);
  const since = Math.min(...running.map((one) => one.since));
  return `${running.map((one) => one.label).join(', ')}: ${amountOf(bytes, size)} ${speed(bytes, now - since)}`;
}

function amountOf(bytes: number, size: number): string {
  return `${formatBytes(bytes)} of ${formatBytes(size)}`;
}

function speed(bytes: number, milliseconds: number): string {
  return `${formatBytes(milliseconds > 0 ? Math.max(0, bytes) / (milliseconds / 1000) : 0)}/s`;
}
