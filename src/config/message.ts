import type * as z from 'zod';
import { didYouMean } from './suggest.ts';

type Raw = z.core.$ZodRawIssue;

/** The value as a message shows it: JSON, shortened. */
export function quote(value: unknown): string {
  const written = JSON.stringify(value) ?? String(value);
  return written.length > 80 ? `${written.slice(0, 77)}…` : written;
}

/** Says of any value that it is not what the key takes, and what that is. */
export function notAllowed(noun: string, allowed: string): (value: unknown) => string {
  return (value) => `${quote(value)} is not ${noun}; allowed: ${allowed}`;
}

/** The same as zod asks for it: a key that is required and not there reads differently. */
export function refusal(refuse: (value: unknown) => string): (issue: Raw) => string {
  return ({ input }) => (input === undefined ? 'is missing' : refuse(input));
}

/** For a mapping that may hold secrets: says what is wrong without repeating the value. */
export const notMapping = refusal(() => 'is not a mapping of keys');

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text (put it in quotes)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
};

/** What a fault says where the schema's own field does not say it. */
export function messageOf(issue: Raw): string | undefined {
  const value = quote(issue.input);
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      return `${value} is not allowed; ${NOUNS[String(issue.expected)] ?? issue.expected} is`;
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const near = isPlain(issue.input) ? didYouMean(String(issue.input), allowed) : '';
      return `${value} is not allowed${near}; allowed: ${allowed.join(', ')}`;
    }
    case 'too_small':
      return `${value} is too small; allowed: ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `${value} is too large; allowed: at most ${issue.maximum}`;
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'invalid_union':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case undefined:
      return undefined;
  }
}

function isPlain(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
