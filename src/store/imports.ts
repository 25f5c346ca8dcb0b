import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDigest, type Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import { isCount, isRecord } from '../core/shape.ts';
import type { Change } from './journal.ts';
import type { Paths } from './paths.ts';
import { absent, readRecord } from './small-file.ts';

/** That a manifest was imported: it stays, with everything it lists, until somebody says otherwise. */
export interface ImportMark {
  readonly digest: Digest;
  /** Milliseconds since 1970. */
  readonly importedAt: number;
  /** Manifests that came with it because they refer to it; each has a mark of its own. */
  readonly referrers: readonly Digest[];
}

/** What writes the mark down. */
export function importChange(paths: Paths, repository: Repository, mark: ImportMark): Change {
  return { name: paths.import(repository, mark.digest), text: JSON.stringify(mark) };
}

/** What was imported into the repository, in no order. */
export async function importMarks(
  paths: Paths,
  repository: Repository,
): Promise<readonly ImportMark[]> {
  const marks: ImportMark[] = [];
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(paths.imports(repository), algorithm);
    for (const name of (await absent(readdir(folder))) ?? []) {
      const digest = `${algorithm}:${name}`;
      if (isDigest(digest)) marks.push(await importMark(paths, repository, digest));
    }
  }
  return marks;
}

/** Whether the manifest has a mark. @throws Error of Node */
export async function isImported(
  paths: Paths,
  repository: Repository,
  digest: Digest,
): Promise<boolean> {
  return (await absent(stat(paths.import(repository, digest)))) !== undefined;
}

/** From then on the manifest may leave like any other; without a mark there is nothing to do. @throws Error of Node */
export async function removeImport(
  paths: Paths,
  repository: Repository,
  digest: Digest,
): Promise<void> {
  await rm(paths.import(repository, digest), { force: true });
}

/** That the file is there is what counts: what cannot be read in it is as good as empty. */
async function importMark(
  paths: Paths,
  repository: Repository,
  digest: Digest,
): Promise<ImportMark> {
  const mark = await readRecord(paths.import(repository, digest), (value) => {
    if (!isRecord(value)) return undefined;
    const { importedAt, referrers } = value;
    const list: unknown[] = Array.isArray(referrers) ? referrers : [];
    return {
      digest,
      importedAt: isCount(importedAt) ? importedAt : 0,
      referrers: list.filter((one): one is Digest => typeof one === 'string' && isDigest(one)),
    };
  });
  return mark ?? { digest, importedAt: 0, referrers: [] };
}
