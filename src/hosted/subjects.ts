import type { Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import type { Records } from '../store/records.ts';
import type { Manifests } from './manifests.ts';
import { referencesOf } from './references.ts';

interface Known {
  readonly manifests: Manifests;
  readonly records: Records;
}

/** What a manifest is listed as a referrer of: it says so itself, unless it is damaged. */
export async function subjectsOf(
  { manifests, records }: Known,
  repository: Repository,
  digest: Digest,
): Promise<readonly Digest[]> {
  const manifest = await manifests.get(repository, digest);
  if (manifest === undefined) return await Array.fromAsync(records.subjectsOf(repository, digest));
  const { subject } = referencesOf(manifest);
  return subject === undefined ? [] : [subject];
}
