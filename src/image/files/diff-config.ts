import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../../core/shape.ts';

/** A member that differs. `before` and `after` are absent where there is none; lists differ as a whole. */
export interface ConfigChange {
  /** Names of members from the top on. */
  readonly path: readonly string[];
  readonly before?: unknown;
  readonly after?: unknown;
}

/** How two JSON documents differ, in the order of their members. */
export function diffConfigs(before: unknown, after: unknown): ConfigChange[] {
  return [...changes([], before, after)];
}

function* changes(
  path: readonly string[],
  before: unknown,
  after: unknown,
): Generator<ConfigChange, void, undefined> {
  if (isRecord(before) && isRecord(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      yield* changes([...path, key], before[key], after[key]);
    }
    return;
  }
  if (isDeepStrictEqual(before, after)) return;
  yield {
    path,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}
