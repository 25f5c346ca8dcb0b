import { RegistryError } from '../../core/errors.ts';
import { isCount, unknownKey } from '../../core/shape.ts';
import type { PruneQuery } from '../../store/inventory/prune.ts';

export type Body = Readonly<Record<string, unknown>>;

/** Whether something is to be done, or only told what would be: `dryRun` in a body. */
export type Mode = 'change' | 'look';

/** @throws RegistryError REQUEST_INVALID for a key that is none of those, naming it */
export function refuseUnknown(body: Body, known: readonly string[]): void {
  const unknown = unknownKey(body, known);
  if (unknown !== undefined) throw new RegistryError('REQUEST_INVALID', unknown);
}

/** Bytes that may stay. @throws RegistryError REQUEST_INVALID */
export function evictBody(body: Body): { readonly to: number; readonly mode: Mode } {
  refuseUnknown(body, ['to', 'dryRun']);
  const { to } = body;
  if (!isCount(to)) throw new RegistryError('REQUEST_INVALID', 'to: how many bytes may stay');
  return { to, mode: modeOf(body) };
}

/** @throws RegistryError REQUEST_INVALID */
export function pruneBody(body: Body): { readonly query: PruneQuery; readonly mode: Mode } {
  const keys = ['patterns', 'olderThan', 'unusedFor', 'gone', 'imported'];
  refuseUnknown(body, [...keys, 'dryRun']);
  const { patterns = [], olderThan, unusedFor, gone = 'spare', imported } = body;
  const right =
    Array.isArray(patterns) &&
    patterns.every((pattern: unknown) => typeof pattern === 'string') &&
    (olderThan === undefined || isCount(olderThan)) &&
    (unusedFor === undefined || isCount(unusedFor)) &&
    (gone === 'spare' || gone === 'include') &&
    (imported === undefined || imported === 'spare' || imported === 'include');
  if (!right) {
    const message =
      'patterns: texts; olderThan, unusedFor: milliseconds; gone, imported: spare or include';
    throw new RegistryError('REQUEST_INVALID', message);
  }
  const query: PruneQuery = {
    patterns,
    gone,
    ...(imported !== undefined && { imported }),
    ...(olderThan !== undefined && { olderThan }),
    ...(unusedFor !== undefined && { unusedFor }),
  };
  return { query, mode: modeOf(body) };
}

/** @throws RegistryError REQUEST_INVALID */
export function collectBody(body: Body): Mode {
  refuseUnknown(body, ['dryRun']);
  return modeOf(body);
}

/** @throws RegistryError REQUEST_INVALID */
export function patternBody(body: Body): string {
  refuseUnknown(body, ['pattern']);
  const { pattern } = body;
  if (typeof pattern === 'string') return pattern;
  throw new RegistryError('REQUEST_INVALID', 'pattern: text');
}

function modeOf({ dryRun = false }: Body): Mode {
  if (typeof dryRun === 'boolean') return dryRun ? 'look' : 'change';
  throw new RegistryError('REQUEST_INVALID', 'dryRun: true or false');
}
