import { parseToml } from './toml.ts';

/** A piece of a TOML file that stands on lines of its own. */
export interface Statement {
  readonly kind: 'table' | 'list-table' | 'pair';
  /** Of a table, from the root; of a pair, from the table that it is in. */
  readonly path: readonly string[];
  /** Where its first line begins. */
  readonly start: number;
  /** Behind its last line. */
  readonly end: number;
  /** Of a pair: where its value is; of a table: its header. */
  readonly value: readonly [number, number];
}

/**
 * Where the statements of a file are, in order, so that it can be edited as text and keep its comments.
 * @param text TOML that the parser takes
 */
export function statements(text: string): readonly Statement[] {
  const found: Statement[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (true) {
    at = skipBlank(text, at);
    if (at >= text.length) return found;
    const start = text.lastIndexOf('\n', at - 1) + 1;
    const statement = text[at] === '[' ? header(text, at, start) : pair(text, at, start);
    found.push(statement);
    at = statement.end;
  }
}

function header(text: string, from: number, start: number): Statement {
  const list = text.startsWith('[[', from);
  const { path, next } = keys(text, from + (list ? 2 : 1), ']');
  const close = next + (list ? 2 : 1);
  return {
    kind: list ? 'list-table' : 'table',
    path,
    start,
    end: lineEnd(text, close),
    value: [from, close],
  };
}

function pair(text: string, from: number, start: number): Statement {
  const { path, next } = keys(text, from, '=');
  let begin = next + 1;
  while (text[begin] === ' ' || text[begin] === '\t') begin += 1;
  const close = valueEnd(text, begin);
  return { kind: 'pair', path, start, end: lineEnd(text, close), value: [begin, close] };
}

function keys(text: string, from: number, end: ']' | '='): { path: string[]; next: number } {
  let at = from;
  while (text[at] !== end && at < text.length) {
    at = text[at] === '"' || text[at] === "'" ? stringEnd(text, at) : at + 1;
  }
  return { path: segments(text.slice(from, at)), next: at };
}

/** `plugins."io.x".y` as its parts: read by the parser, which knows what may be escaped. */
function segments(dotted: string): string[] {
  const path: string[] = [];
  let value: unknown = parseToml(`${dotted.trim()} = 0`);
  while (typeof value === 'object' && value !== null) {
    const [entry] = Object.entries(value);
    if (entry === undefined) break;
    path.push(entry[0]);
    value = entry[1];
  }
  return path;
}

function valueEnd(text: string, from: number): number {
  let depth = 0;
  let at = from;
  let last = from;
  while (at < text.length) {
    const character = text[at] ?? '';
    if (character === '\n' && depth === 0) break;
    if (character === '#') {
      if (depth === 0) break;
      at = lineEnd(text, at);
      continue;
    }
    if (character === '"' || character === "'") {
      at = stringEnd(text, at);
      last = at;
      continue;
    }
    if (character === '[' || character === '{') depth += 1;
    if (character === ']' || character === '}') depth -= 1;
    at += 1;
    if (!/\s/.test(character)) last = at;
  }
  return last;
}

function stringEnd(text: string, from: number): number {
  const quote = text[from] ?? '';
  const long = text.startsWith(quote.repeat(3), from);
  let at = from + (long ? 3 : 1);
  while (at < text.length) {
    if (quote === '"' && text[at] === '\\') {
      at += 2;
      continue;
    }
    if (!long && text[at] === quote) return at + 1;
    if (long && text.startsWith(quote.repeat(3), at)) {
      // Up to two quotes may belong to what is quoted.
      let end = at + 3;
      while (text[end] === quote && end < at + 5) end += 1;
      return end;
    }
    at += 1;
  }
  return at;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] === '#') at = lineEnd(text, at);
    else if (/\s/.test(text[at] ?? '')) at += 1;
    else break;
  }
  return at;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end + 1;
}
