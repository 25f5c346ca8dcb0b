/** Lines around a change that are shown with it. */
const CONTEXT = 3;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/**
 * What sets two texts apart, as `diff -u` writes it; empty where they are the same.
 * @param before `undefined`: there is no file
 */
export function unifiedDiff(
  path: string,
  before: string | undefined,
  after: string | undefined,
): string {
  if (before === after) return '';
  const lines = compare(linesOf(before), linesOf(after));
  const from = before === undefined ? '/dev/null' : path;
  const to = after === undefined ? '/dev/null' : path;
  return `--- ${from}\n+++ ${to}\n${hunks(lines).join('')}`;
}

function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop();
  const whole = lines.map((line) => `${line}\n`);
  return last === '' || last === undefined
    ? whole
    : [...whole, `${last}\n\\ No newline at end of file\n`];
}

/** By the longest common subsequence; configuration files are short. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const width = after.length + 1;
  const length = new Uint32Array((before.length + 1) * width);
  const best = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      length[i * width + j] =
        before[i] === after[j] ? best(i + 1, j + 1) + 1 : Math.max(best(i + 1, j), best(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, young] = [before[i], after[j]];
    if (old !== undefined && old === young) {
      lines.push({ mark: ' ', text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (young === undefined || best(i + 1, j) >= best(i, j + 1))) {
      lines.push({ mark: '-', text: old });
      i += 1;
    } else if (young !== undefined) {
      lines.push({ mark: '+', text: young });
      j += 1;
    }
  }
  return lines;
}

function hunks(lines: readonly Line[]): string[] {
  const shown = lines.map((_, index) =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ mark }) => mark !== ' '),
  );
  const found: string[] = [];
  let [old, young] = [1, 1];
  for (let index = 0; index < lines.length;) {
    let end = index;
    while (end < lines.length && shown[end] === shown[index]) end += 1;
    const part = lines.slice(index, end);
    const removed = part.filter(({ mark }) => mark !== '+').length;
    const added = part.filter(({ mark }) => mark !== '-').length;
    if (shown[index]) {
      const text = part.map(({ mark, text }) => `${mark}${text}`).join('');
      found.push(`@@ -${span(old, removed)} +${span(young, added)} @@\n${text}`);
    }
    old += removed;
    young += added;
    index = end;
  }
  return found;
}

/** An empty span is told by the line in front of it. */
function span(start: number, count: number): string {
  return `${count === 0 ? start - 1 : start},${count}`;
}
