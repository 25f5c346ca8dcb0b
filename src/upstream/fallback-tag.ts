import type { Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { isUnknown, RegistryError } from '../core/errors.ts';
import { manifestOf, parseManifest, type Manifest } from '../core/manifest.ts';
import { MEDIA_TYPES } from '../core/media-type.ts';
import { isRecord } from '../core/shape.ts';
import { describe } from './failure.ts';
import { fetchManifest } from './manifests.ts';
import { putManifest } from './put-manifest.ts';
import { fallbackTag } from './referrers.ts';
import type { Target } from './upload.ts';

/** How often the list is written when others write it at the same time. */
const ATTEMPTS = 8;

type Entries = readonly unknown[];

/** Lists a referrer under its subject's tag; what is listed there already stays to the letter. */
export async function addReferrer(
  target: Target,
  subject: Descriptor,
  referrer: Descriptor,
): Promise<void> {
  await inTurn(target, subject.digest, (entries) =>
    entries.some((entry) => digestIn(entry) === referrer.digest)
      ? undefined
      : [...entries, referrer],
  );
}

/** Takes a referrer that was deleted off its subject's list. */
export async function removeReferrer(
  target: Target,
  subject: Descriptor,
  referrer: Digest,
): Promise<void> {
  await inTurn(target, subject.digest, (entries) => {
    const left = entries.filter((entry) => digestIn(entry) !== referrer);
    return left.length === entries.length ? undefined : left;
  });
}

type Edit = (entries: Entries) => Entries | undefined;

/** Those of one process do not race each other at least. */
function inTurn(target: Target, subject: Digest, edit: Edit): Promise<void> {
  const key = `${target.repository} ${subject}`;
  return target.turns.run(key, () => change(target, subject, edit));
}

/**
 * Reads the list, writes it changed, and reads it again: no registry can be asked to replace only
 * what one has seen, so whoever wrote in between is noticed afterwards, and the change is made anew.
 * @param edit gives nothing when the list is as it should be
 */
async function change(target: Target, subject: Digest, edit: Edit): Promise<void> {
  const { endpoint, repository } = target;
  const tag = fallbackTag(subject);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 1) await endpoint.rest(attempt - 2, 'referrers');
    const known = await read(target, tag);
    const entries = edit(known.entries);
    if (entries === undefined) return;
    await putManifest(target, tag, indexOf({ ...known.index, manifests: entries }));
  }
  const at = describe({
    host: endpoint.host,
    dialled: endpoint.host,
    repository,
    kind: 'manifest',
  });
  const message = `${at}: the list of referrers under ${tag} is changed by others too often`;
  throw new RegistryError('UPSTREAM_UNAVAILABLE', message);
}

interface Known {
  readonly index: Readonly<Record<string, unknown>>;
  readonly entries: Entries;
}

const EMPTY: Known = {
  index: { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex },
  entries: [],
};

async function read({ endpoint, repository, brief }: Target, tag: ReturnType<typeof fallbackTag>) {
  let manifest: Manifest;
  try {
    manifest = await fetchManifest(endpoint, brief(), repository, tag);
  } catch (error) {
    if (isUnknown(error) && error.definitive) return EMPTY;
    throw error;
  }
  const index = parseManifest(manifest.bytes);
  const { manifests } = index;
  if (manifest.descriptor.mediaType === MEDIA_TYPES.ociIndex && Array.isArray(manifests)) {
    return { index, entries: manifests };
  }
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${endpoint.host}/${repository}: what is tagged ${tag} is no list of referrers`,
  );
}

function indexOf(value: Readonly<Record<string, unknown>>): Manifest {
  return manifestOf(Buffer.from(JSON.stringify(value)), MEDIA_TYPES.ociIndex);
}

function digestIn(entry: unknown): Digest | undefined {
  if (!isRecord(entry) || typeof entry['digest'] !== 'string') return undefined;
  return isDigest(entry['digest']) ? entry['digest'] : undefined;
}
