import type { Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import { parseReferrer, type Referrer } from '../core/referrer.ts';
import { isCount, isRecord } from '../core/shape.ts';
import type { Paths } from './paths.ts';
import { Serial } from './serial.ts';
import { readRecord, replaceFile } from './small-file.ts';

/** What the upstream last said refers to a manifest. */
export interface ReferrersRecord {
  readonly items: readonly Referrer[];
  /** Milliseconds since 1970. */
  readonly checkedAt: number;
}

export interface ReferrersStore {
  get(repository: Repository, digest: Digest): Promise<ReferrersRecord | undefined>;
  set(repository: Repository, digest: Digest, record: ReferrersRecord): Promise<void>;
}

export function diskReferrers(paths: Paths): ReferrersStore {
  const writes = new Serial();
  return {
    get: (repository, digest) => readRecord(paths.referrers(repository, digest), parseReferrers),
    set(repository, digest, record) {
      const name = paths.referrers(repository, digest);
      return writes.run(name, () => replaceFile(name, JSON.stringify(record), paths.journal));
    },
  };
}

function parseReferrers(value: unknown): ReferrersRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { items, checkedAt } = value;
  if (!Array.isArray(items) || !isCount(checkedAt)) return undefined;
  return { items: items.flatMap((item) => parseReferrer(item) ?? []), checkedAt };
}
