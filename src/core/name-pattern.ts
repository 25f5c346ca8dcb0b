/** Says of repositories which ones are meant, by their names. */
export interface NamePattern {
  readonly text: string;
  matches(name: string): boolean;
}

const PART = /^(?:\*\*|[a-z0-9._*-]+)$/;
const LONGEST = 255;

/**
 * `apps/**`, `charts/*`, `tools/crane`: `*` stands for any characters within one part of a name, `**` for
 * one part or more. `undefined` for text that is no pattern.
 */
export function parseNamePattern(text: string): NamePattern | undefined {
  const parts = text.split('/');
  if (text.length > LONGEST || !parts.every((part) => PART.test(part))) return undefined;
  if (parts.some((part) => part !== '**' && part.includes('**'))) return undefined;
  const sources = parts.map((part) =>
    part === '**' ? '[^/]+(?:/[^/]+)*' : part.replaceAll('.', '\\.').replaceAll('*', '[^/]*'),
  );
  const expression = new RegExp(`^${sources.join('/')}$`);
  return { text, matches: (name) => expression.test(name) };
}
