import { FieldCursor } from './field-cursor.ts';

/** One challenge of a `WWW-Authenticate` header; scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
/** Wider than the grammar, which would want a URL quoted. */
const BARE = /[^\s,"]+/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;
const GAP = /[\s,]*/y;

/**
 * The challenges of a `WWW-Authenticate` header in their order (RFC 9110 section 11.6.1): several in
 * one header or in several, quoted strings, commas inside them. What makes no sense is left out,
 * together with what follows it in the same header.
 */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  const headers = typeof header === 'string' ? [header] : (header ?? []);
  return headers.flatMap(parseHeader);
}

function parseHeader(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const field = new FieldCursor(text);
  const equals = (): boolean => field.take(/\s*=\s*/y) !== undefined;
  for (;;) {
    field.take(GAP);
    const name = field.take(TOKEN);
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    if (equals()) {
      const value = field.take(QUOTED)?.replaceAll(/\\([\s\S])/g, '$1') ?? field.take(BARE);
      if (current === undefined || value === undefined) return challenges;
      current.parameters[name.toLowerCase()] ??= value;
    } else {
      challenges.push({ scheme: name.toLowerCase(), parameters: Object.create(null) });
      field.takeBoth(/ +/y, TOKEN68);
    }
  }
}
