import type { Report } from './finding.ts';
import { judgeLine } from './judge.ts';

/** One line as people write it, trimmed: what is named, and a comment behind it if they like. */
const LINE = /^(?<name>[^\s#]\S*)?(?:\s+#.*|#.*)?$/;

/** Characters. */
const LONGEST_LINE = 4096;

const STRUCTURE = /^(?:---|%|\.\.\.$|- |-$|\{|\[)|^["']?[\w.-]+["']?:(?:\s|$)/;

/** Whether every line names at most one thing, as no YAML or JSON does that holds an object. */
export function isList(text: string): boolean {
  for (const { line } of linesOf(text)) {
    const trimmed = line.trim();
    if (STRUCTURE.test(trimmed) || trimmed.length > LONGEST_LINE || !LINE.test(trimmed))
      return false;
  }
  return true;
}

/** Images one a line; `#` begins a comment, and lines may be blank. */
export function readList(text: string, report: Report): void {
  for (const { line, offset } of linesOf(text)) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const name = LINE.exec(trimmed.slice(0, LONGEST_LINE))?.groups?.['name'];
    report(offset, '', judgeLine(name ?? trimmed.slice(0, LONGEST_LINE)));
  }
}

function* linesOf(text: string): Generator<{ readonly line: string; readonly offset: number }> {
  for (let offset = 0; offset < text.length;) {
    const end = text.indexOf('\n', offset);
    const next = end === -1 ? text.length : end + 1;
    yield { line: text.slice(offset, end === -1 ? next : end).replace(/\r$/, ''), offset };
    offset = next;
  }
}
