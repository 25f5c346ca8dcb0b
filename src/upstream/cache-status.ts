import type { Served, ServedResult } from '../core/served.ts';
import type { Answer } from './answer.ts';
import { FieldCursor } from './field-cursor.ts';

/** Parameters of one cache's entry, as structured fields have them (RFC 8941): bare ones are `true`. */
type Parameters = ReadonlyMap<string, string | true>;

interface Entry {
  readonly cache: string;
  readonly parameters: Parameters;
}

const LONGEST = 4_096;
const SPACE = /[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y;
const BARE = /[^\s,;="]+/y;
const SEMICOLON = /[ \t]*;[ \t]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const COMMA = /[ \t]*,[ \t]*/y;

/** How a mirror came by its answer, in the shape that answers of a `Source` carry it; storage behind redirects is none. */
export function servedBy({ origin, response }: Answer): { readonly served?: Served } {
  if (origin === 'elsewhere') return {};
  const served = parseCacheStatus(response.headers['cache-status']);
  return served === undefined ? {} : { served };
}

/**
 * How the cache that answered us came by it (`Cache-Status`, RFC 9211): a layover if there is one on
 * the way, else the nearest, which is the last. `undefined` when no cache says anything.
 */
export function parseCacheStatus(
  header: string | readonly string[] | undefined,
): Served | undefined {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ');
  const entries = text.length > LONGEST ? [] : entriesOf(text);
  const entry = entries.findLast(({ cache }) => cache === 'layover') ?? entries.at(-1);
  return entry === undefined ? undefined : servedOf(entry.parameters);
}

function servedOf(parameters: Parameters): Served | undefined {
  const detail = textOf(parameters.get('detail'));
  const result = resultOf(parameters, detail);
  if (result === undefined) return undefined;
  const ttl = /^-?\d{1,15}$/.exec(textOf(parameters.get('ttl')) ?? '')?.[0];
  return {
    result,
    ...(parameters.has('stored') && { stored: true }),
    ...(ttl !== undefined && { ttl: Number(ttl) }),
    ...(detail !== undefined && detail !== result && { detail }),
  };
}

function resultOf(parameters: Parameters, detail: string | undefined): ServedResult | undefined {
  const hit = parameters.get('hit');
  if (hit !== undefined && hit !== '?0') {
    const told = detail === 'revalidated' || detail === 'stale' || detail === 'negative';
    return told ? detail : 'hit';
  }
  switch (textOf(parameters.get('fwd'))) {
    case undefined:
      return undefined;
    case 'bypass':
      return 'bypass';
    case 'stale':
      // Turned to the origin; 304 is its word that nothing had changed.
      return parameters.get('fwd-status') === '304' ? 'revalidated' : 'stale';
    default:
      return parameters.has('collapsed') ? 'joined' : 'miss';
  }
}

function textOf(value: string | true | undefined): string | undefined {
  return value === true ? undefined : value;
}

/** Whatever is not as it should be ends the list there. */
function entriesOf(text: string): readonly Entry[] {
  const entries: Entry[] = [];
  const field = new FieldCursor(text);
  const passes = (sign: RegExp): boolean => field.take(sign) !== undefined;
  const quoted = (): string | undefined => field.take(QUOTED)?.replaceAll(/\\(["\\])/g, '$1');
  field.take(SPACE);
  do {
    const cache = quoted() ?? field.take(BARE);
    if (cache === undefined) return entries;
    const parameters = new Map<string, string | true>();
    while (passes(SEMICOLON)) {
      const key = field.take(BARE);
      if (key === undefined) return entries;
      const value = passes(EQUALS) ? (quoted() ?? field.take(BARE)) : true;
      if (value === undefined) return entries;
      parameters.set(key, value);
    }
    entries.push({ cache, parameters });
  } while (passes(COMMA));
  return entries;
}
