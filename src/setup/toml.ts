import { isDeepStrictEqual } from 'node:util';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { RegistryError } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';

export type Toml = Readonly<Record<string, unknown>>;

/** @throws RegistryError REQUEST_INVALID with the place of the fault */
export function parseToml(text: string): TomlTable {
  try {
    return parse(text.replace(/^\uFEFF/, ''), { integersAsBigInt: 'asNeeded' });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = 'not TOML'] = cause.message.split('\n', 1);
    throw new RegistryError(
      'REQUEST_INVALID',
      `line ${cause.line}, column ${cause.column}: ${what.replace(/^Invalid TOML document: /, '')}`,
      { cause },
    );
  }
}

/** The value at the path; `undefined` where there is none. */
export function at(toml: unknown, ...path: readonly string[]): unknown {
  let value = toml;
  for (const key of path) {
    if (!isRecord(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A list of texts, or one text; anything else is an empty list. */
export function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((one: unknown) => typeof one === 'string') : [];
}

/** A text as TOML writes it. */
export function quoted(text: string): string {
  // JSON escapes what TOML's basic strings escape; DEL is the one character more.
  return JSON.stringify(text).replaceAll('\u007f', String.raw`\u007f`);
}

/**
 * The edited text, if it says exactly what it should: whoever edits text need not understand all of TOML.
 * @throws RegistryError UNSUPPORTED where the edit would say anything else
 */
export function proven(edited: string, expected: Toml): string {
  let told: Toml | undefined;
  try {
    told = parseToml(edited);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
  }
  if (told !== undefined && isDeepStrictEqual(plain(told), plain(expected))) return edited;
  throw new RegistryError('UNSUPPORTED', 'the file is laid out in a way that is not edited here');
}

/** Without the prototypes and classes of the parser: tables are compared by what they hold. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return value.toISOString();
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}
