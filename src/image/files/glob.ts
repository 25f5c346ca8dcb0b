import { RegistryError } from '../../core/errors.ts';
import type { ImagePath } from './path.ts';

/**
 * A pattern of paths. `*` and `?` match within a name, names that start with a dot included, as those
 * of find(1) do; `**` matches any number of folders; `[a-z]`, `[!a]` a character; `{a,b}` either; `\` takes the
 * meaning from what follows. A pattern without `/` is one of the last name. A leading `/` is the image's root.
 * @throws RegistryError NAME_INVALID for a pattern that is none
 */
export function parseGlob(pattern: string): (path: ImagePath) => boolean {
  if (pattern === '' || pattern.length > LONGEST) throw invalid(pattern, 'empty, or too long');
  const anywhere = !pattern.includes('/');
  const text = pattern.replace(/^\/+/, '').replace(/\/+$/, '');
  const alternatives = expand(text, pattern).map((one) =>
    one.split('/').map((part) => (part === '**' ? part : segment(part, pattern))),
  );
  return (path) => {
    const parts = path.split('/');
    const tested = anywhere ? parts.slice(-1) : parts;
    return alternatives.some((segments) => matches(segments, tested));
  };
}

type Test = (character: string) => boolean;
type Token = Test | '*';
type Segment = readonly Token[] | '**';

const LONGEST = 1000;
const MOST_ALTERNATIVES = 1000;

/** Whether the segments match the parts: each state is visited once, however many `**` there are. */
function matches(segments: readonly Segment[], parts: readonly string[]): boolean {
  let states = closure(new Set([0]), segments);
  for (const part of parts) {
    const following = new Set<number>();
    for (const state of states) {
      const segment = segments[state];
      if (segment === '**') following.add(state);
      else if (segment !== undefined && fits(segment, part)) following.add(state + 1);
    }
    states = closure(following, segments);
  }
  return states.has(segments.length);
}

function closure(states: Set<number>, segments: readonly Segment[]): Set<number> {
  for (const state of states) if (segments[state] === '**') states.add(state + 1);
  return states;
}

/** Braces, the first pair first, nested ones later. */
function expand(text: string, pattern: string): string[] {
  let results = [''];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\') {
      const escaped = text.slice(at, at + 2);
      results = results.map((result) => result + escaped);
      at += 1;
    } else if (character === '{') {
      const { parts, end } = braces(text, at, pattern);
      const expanded = parts.flatMap((part) => expand(part, pattern));
      results = results.flatMap((result) => expanded.map((part) => result + part));
      if (results.length > MOST_ALTERNATIVES) throw invalid(pattern, 'too many alternatives');
      at = end;
    } else {
      results = results.map((result) => result + character);
    }
  }
  return results;
}

function braces(text: string, start: number, pattern: string): { parts: string[]; end: number } {
  const parts: string[] = [];
  let [depth, from] = [0, start + 1];
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '{') depth += 1;
    else if (character === ',' && depth === 1) {
      parts.push(text.slice(from, at));
      from = at + 1;
    } else if (character === '}') {
      depth -= 1;
      if (depth === 0) return { parts: [...parts, text.slice(from, at)], end: at };
    }
  }
  throw invalid(pattern, 'a { without its }');
}

function segment(text: string, pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const negated = characters[at + 1] === '!' || characters[at + 1] === '^';
      const end = characters.indexOf(']', at + (negated ? 3 : 2));
      if (end < 0) throw invalid(pattern, 'a [ without its ]');
      tokens.push(oneOf(characters.slice(at + (negated ? 2 : 1), end), negated));
      at = end;
    } else {
      if (character === '\\') at += 1;
      const wanted = characters[at] ?? '\\';
      tokens.push((given) => given === wanted);
    }
  }
  return tokens;
}

/** The members of `[...]`: characters, and ranges of them by code point. */
function oneOf(members: readonly string[], negated: boolean): Test {
  const code = (at: number): number => members[at]?.codePointAt(0) ?? 0;
  const ranges: (readonly [number, number])[] = [];
  for (let at = 0; at < members.length; at += 1) {
    const isRange = members[at + 1] === '-' && at + 2 < members.length;
    ranges.push([code(at), code(isRange ? at + 2 : at)]);
    if (isRange) at += 2;
  }
  return (given) => {
    const point = given.codePointAt(0) ?? 0;
    return ranges.some(([from, to]) => from <= point && point <= to) !== negated;
  };
}

/** Goes back to the last `*` alone: the time is the product of the two lengths at most. */
function fits(tokens: readonly Token[], text: string): boolean {
  const characters = Array.from(text);
  let [at, token, star, resumed] = [0, 0, -1, 0];
  while (at < characters.length) {
    const test = tokens[token];
    if (test === '*') {
      [star, resumed] = [token, at];
      token += 1;
    } else if (test?.(characters[at] ?? '') === true) {
      at += 1;
      token += 1;
    } else if (star >= 0) {
      resumed += 1;
      [at, token] = [resumed, star + 1];
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

function invalid(pattern: string, what: string): RegistryError {
  const shown = JSON.stringify(pattern.slice(0, 160));
  return new RegistryError('NAME_INVALID', `not a pattern: ${shown}: ${what}`);
}
