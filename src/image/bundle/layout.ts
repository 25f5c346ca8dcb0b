import type { Digest } from '../../core/digest.ts';
import { entriesOf } from '../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { RegistryError } from '../../core/errors.ts';
import { LARGEST_MANIFEST, type Manifest } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import type { SmallFile } from '../archive/archive-layout.ts';
import { LAYOUT_MARKER } from '../archive/index-json.ts';
import { blobPath, CONTAINERD_NAME, REF_NAME } from '../archive/oci-layout.ts';
import { formatLock, LOCK_NAME, type Lock, type LockedImage } from './lock.ts';

/** What a bundle holds besides content, in the order in which it is written. */
export async function layoutOf(
  lock: Lock,
  manifest: (digest: Digest) => Promise<Manifest>,
): Promise<readonly SmallFile[]> {
  const files = [
    { name: LOCK_NAME, bytes: formatLock(lock) },
    { name: 'oci-layout', bytes: LAYOUT_MARKER },
    { name: 'index.json', bytes: await indexOf(lock, manifest) },
  ];
  // Only what is whole can be loaded by those who know no layouts.
  const list = lock.since === undefined ? await dockerListOf(lock, manifest) : [];
  if (list.length === 0) return files;
  return [...files, { name: 'manifest.json', bytes: Buffer.from(JSON.stringify(list)) }];
}

/**
 * Images under their whole names, where skopeo and podman look for them as well as where containerd
 * does; referrers without a name.
 */
async function indexOf(
  lock: Lock,
  manifest: (digest: Digest) => Promise<Manifest>,
): Promise<Buffer> {
  const manifests: object[] = lock.images.map(({ name, root }) => ({
    ...root,
    annotations: { [CONTAINERD_NAME]: name, [REF_NAME]: name },
  }));
  const referrers = new Set(lock.images.flatMap((image) => image.referrers));
  for (const digest of [...referrers].toSorted()) {
    const { mediaType, size } = (await manifest(digest)).descriptor;
    manifests.push({ mediaType, digest, size });
  }
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
  const bytes = Buffer.from(JSON.stringify(index));
  if (bytes.length <= LARGEST_MANIFEST) return bytes;
  throw new RegistryError(
    'UNSUPPORTED',
    `${lock.images.length} images are more than other tools read the list of: export them in several bundles`,
  );
}

interface DockerEntry {
  readonly Config: string;
  RepoTags: string[];
  readonly Layers: readonly string[];
}

/** What `docker load` of any age and crane look for: of an image for several platforms the first that is there. */
async function dockerListOf(
  lock: Lock,
  manifest: (digest: Digest) => Promise<Manifest>,
): Promise<readonly DockerEntry[]> {
  const there = new Set(lock.content.map(({ digest }) => digest));
  const listed = new Map<string, DockerEntry>();
  for (const image of lock.images) {
    const entry = await dockerEntry(image, there, manifest);
    if (entry === undefined) continue;
    const known = listed.get(entry.Config);
    if (known === undefined) listed.set(entry.Config, entry);
    else known.RepoTags.push(...entry.RepoTags);
  }
  return [...listed.values()];
}

async function dockerEntry(
  { name, root }: LockedImage,
  there: ReadonlySet<Digest>,
  manifest: (digest: Digest) => Promise<Manifest>,
): Promise<DockerEntry | undefined> {
  let found = await manifest(root.digest);
  if (isIndexType(found.descriptor.mediaType)) {
    const first = entriesOf(found.bytes).find(
      ({ digest, platform }) => there.has(digest) && platform?.os !== 'unknown',
    );
    if (first === undefined) return undefined;
    found = await manifest(first.digest);
  }
  if (isIndexType(found.descriptor.mediaType) || isOld(found)) return undefined;
  const { config, layers } = parseImageManifest(found.bytes);
  const image =
    /^application\/vnd\.(?:oci\.image\.config|docker\.container\.image)\.v1\+json$/.test(
      config.mediaType,
    );
  const whole = [config, ...layers].every(({ digest }) => there.has(digest));
  if (!image || !whole) return undefined;
  return {
    Config: blobPath(config.digest),
    RepoTags: name.includes('@') ? [] : [name],
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function isOld({ descriptor: { mediaType } }: Manifest): boolean {
  return mediaType === MEDIA_TYPES.dockerSchema1 || mediaType === MEDIA_TYPES.dockerSchema1Signed;
}
