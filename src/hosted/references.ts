import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { childrenOf, isManifestType, parseManifest, type Manifest } from '../core/manifest.ts';
import { isRecord } from '../core/shape.ts';
import type { Repository } from '../core/reference.ts';
import type { Link } from '../store/links.ts';
import type { Parts } from './parts.ts';
import type { Pushed } from './pushed.ts';

/**
 * What a manifest may list that the repository does not have. `indexes`: an index manifests, as copies
 * of one platform do; `all`: an image layers, too.
 */
export type Sparse = 'none' | 'indexes' | 'all';

/** What a stored manifest lists. */
export interface References {
  /** Configuration and layers, without those that live elsewhere by design. */
  readonly blobs: readonly Digest[];
  readonly children: readonly Digest[];
  readonly subject: Digest | undefined;
}

export function referencesOf({ bytes }: Manifest): References {
  const { config, layers, subject } = parseManifest(bytes);
  const listed: readonly unknown[] = Array.isArray(layers) ? layers : [];
  return {
    blobs: [config, ...listed].flatMap((entry) => {
      const descriptor = parseDescriptor(entry);
      return descriptor === undefined || livesElsewhere(entry) ? [] : [descriptor.digest];
    }),
    children: childrenOf(bytes).map(({ digest }) => digest),
    subject: parseDescriptor(subject)?.digest,
  };
}

/** Layers that may not be passed on are fetched from where they say (image-spec layer.md, "Non-Distributable Layers"). */
export function livesElsewhere(layer: unknown): boolean {
  if (!isRecord(layer)) return false;
  const { mediaType, urls } = layer;
  if (typeof mediaType === 'string' && /\.(?:nondistributable|foreign)\./.test(mediaType))
    return true;
  return Array.isArray(urls) && urls.length > 0;
}

/** Whether a link lets its content be read as a blob; a manifest alone is none. */
export function isBlob(link: Link): boolean {
  return link.mediaType === undefined || link.blob === true;
}

/** What repositories have. */
interface Held extends Pick<Parts, 'content'> {
  readonly records: Pick<Parts['records'], 'link'>;
}

/**
 * Holds what a manifest lists against what the repository has.
 * @throws RegistryError MANIFEST_BLOB_UNKNOWN, MANIFEST_INVALID for sizes or types that are others
 */
export async function checkReferences(
  parts: Held,
  repository: Repository,
  { blobs, children }: Pushed,
  sparse: Sparse,
): Promise<void> {
  const missing: Digest[] = [];
  for (const blob of blobs) {
    const link = await held(parts, repository, blob);
    const here = link !== undefined && isBlob(link);
    if (here) checkSize(blob, link);
    else if (sparse !== 'all') missing.push(blob.digest);
  }
  for (const child of children) {
    const link = await held(parts, repository, child);
    if (link === undefined && sparse === 'none') missing.push(child.digest);
    if (link !== undefined) checkChild(child, link);
  }
  if (missing.length === 0) return;
  throw new RegistryError(
    'MANIFEST_BLOB_UNKNOWN',
    `the manifest lists what this repository does not have: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? `, and ${missing.length - 3} more` : ''}`,
    { detail: missing.slice(0, 100).map((digest) => ({ digest })) },
  );
}

async function held(
  { records, content }: Held,
  repository: Repository,
  { digest }: Descriptor,
): Promise<Link | undefined> {
  const link = await records.link(repository, digest);
  // What was found damaged has to be pushed again before anything new may count on it.
  return link !== undefined && (await content.size(digest)) === link.size ? link : undefined;
}

function checkChild(child: Descriptor, link: Link): void {
  checkSize(child, link);
  if (link.mediaType === undefined || !isManifestType(child.mediaType)) return;
  if (link.mediaType === child.mediaType) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the manifest says that ${child.digest} is ${child.mediaType}; it is ${link.mediaType}`,
  );
}

function checkSize({ digest, size }: Descriptor, link: Link): void {
  if (size === link.size) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the manifest says that ${digest} has ${size} bytes; it has ${link.size}`,
  );
}
