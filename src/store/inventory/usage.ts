import { HOSTED } from '../../core/hosted.ts';
import { numberIn, textIn, type IndexDatabase, type Row } from '../budget/index-database.ts';

/** Bytes that something has. */
export interface Share {
  readonly blobs: number;
  readonly bytes: number;
  /** Of these bytes: nobody else has them as well. */
  readonly exclusive: number;
  readonly shared: number;
}

/** Where the bytes of a store are. */
export interface UsageReport {
  readonly total: { readonly blobs: number; readonly bytes: number };
  /** Never evicted. */
  readonly kept: { readonly blobs: number; readonly bytes: number };
  /** What no repository may serve: left by crashes, or pushed. */
  readonly unlinked: { readonly blobs: number; readonly bytes: number };
  readonly upstreams: readonly (Share & { readonly upstream: string })[];
  readonly repositories: readonly (Share & {
    readonly upstream: string;
    readonly repository: string;
  })[];
}

const LINKED = `
  linked AS (
    SELECT l.digest AS digest, l.repository AS repository, r.host AS host, b.size AS size
    FROM links l JOIN repositories r ON r.id = l.repository JOIN blobs b ON b.digest = l.digest
  ),
  owners AS (
    SELECT digest, count(*) AS repositories, count(DISTINCT host) AS hosts
    FROM linked GROUP BY digest
  )`;

const BY_UPSTREAM = `WITH ${LINKED}
  SELECT h.name AS upstream, count(*) AS blobs, sum(size) AS bytes,
    sum(CASE WHEN o.hosts = 1 THEN size ELSE 0 END) AS exclusive
  FROM (SELECT DISTINCT digest, host, size FROM linked) l
    JOIN owners o ON o.digest = l.digest JOIN hosts h ON h.id = l.host
  GROUP BY l.host ORDER BY bytes DESC, upstream`;

const BY_REPOSITORY = `WITH ${LINKED}
  SELECT h.name AS upstream, r.path AS repository, count(*) AS blobs, sum(size) AS bytes,
    sum(CASE WHEN o.repositories = 1 THEN size ELSE 0 END) AS exclusive
  FROM linked l JOIN owners o ON o.digest = l.digest
    JOIN repositories r ON r.id = l.repository JOIN hosts h ON h.id = r.host
  GROUP BY l.repository ORDER BY bytes DESC, upstream, repository`;

/** Adds up what the index knows. */
export function usageOf(database: IndexDatabase): UsageReport {
  const sum = (where: string) => {
    const row = database.get(`SELECT count(*) AS blobs, sum(size) AS bytes FROM blobs ${where}`);
    return { blobs: numberIn(row, 'blobs'), bytes: numberIn(row, 'bytes') };
  };
  return {
    total: sum(''),
    kept: sum('WHERE kept = 1'),
    unlinked: sum('WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = blobs.digest)'),
    upstreams: database
      .all(BY_UPSTREAM)
      .map((row) => Object.assign(shareIn(row), { upstream: nameIn(row) })),
    repositories: database.all(BY_REPOSITORY).map((row) =>
      Object.assign(shareIn(row), {
        upstream: nameIn(row),
        repository: textIn(row, 'repository'),
      }),
    ),
  };
}

function nameIn(row: Row): string {
  const name = textIn(row, 'upstream');
  return name === HOSTED ? 'hosted' : name;
}

function shareIn(row: Row): Share {
  const [bytes, exclusive] = [numberIn(row, 'bytes'), numberIn(row, 'exclusive')];
  return { blobs: numberIn(row, 'blobs'), bytes, exclusive, shared: bytes - exclusive };
}
