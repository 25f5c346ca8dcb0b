import type { Descriptor } from '../../core/descriptor.ts';
import { hexOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { formatReference } from '../../core/reference.ts';
import type { ArchiveLayout, Finished, SmallFile } from './archive-layout.ts';
import { dockerList, refuseArtifact } from './docker-list.ts';
import { indexWith, LAYOUT_MARKER } from './index-json.ts';
import { blobPath } from './oci-layout.ts';
import type { Named } from './received.ts';

/** The archives that are written: docker's, OCI's, and as the tools of those names write them. */
export type LayoutName = 'docker' | 'oci' | 'imgpull' | 'crpy';

/** An OCI image layout in a tar. */
const oci: ArchiveLayout = {
  foreign: 'left-out',
  check: () => {},
  path: ({ digest }) => blobPath(digest),
  beside: () => [],
  finish: ({ received }) => [
    ...received.all.map(({ bytes, descriptor }) => ({ name: blobPath(descriptor.digest), bytes })),
    { name: 'oci-layout', bytes: LAYOUT_MARKER },
    { name: 'index.json', bytes: indexWith(undefined, received.images) },
  ],
};

/** What goes for all archives that `docker load` reads. */
const FOR_IMAGES = { foreign: 'needed', check: refuseArtifact } as const;

/**
 * What `docker save` writes since version 25: an OCI image layout that has docker's list of images as
 * well. Either kind of reader finds what it looks for, and digests outlive the archive.
 */
const docker: ArchiveLayout = {
  ...oci,
  ...FOR_IMAGES,
  finish: (finished) => [...oci.finish(finished), list(finished)],
};

/** Flat, with keys in lower case. */
const imgpull: ArchiveLayout = {
  ...FOR_IMAGES,
  path: (descriptor) =>
    isConfig(descriptor)
      ? descriptor.digest
      : `${hexOf(descriptor.digest)}${suffixOf(descriptor.mediaType)}`,
  beside: () => [],
  finish: (finished) => {
    const images = dockerList(finished, byDigest).map(({ config, names, layers }) => {
      return { config, repoTags: names, layers };
    });
    return [{ name: 'manifest.json', bytes: Buffer.from(JSON.stringify(images, undefined, 3)) }];
  },
};

/** A folder a layer, and everything behind `./`, though the list says it without. */
const crpy: ArchiveLayout = {
  ...FOR_IMAGES,
  path: (descriptor) => {
    const hex = hexOf(descriptor.digest);
    return isConfig(descriptor) ? `./${hex}.json` : `./${hex}/layer.tar`;
  },
  beside: (descriptor) =>
    isConfig(descriptor)
      ? []
      : [{ name: `./${hexOf(descriptor.digest)}/VERSION`, bytes: Buffer.from('1.0') }],
  finish: ({ received, path }) => {
    const bare = { received, path: (digest: Digest) => path(digest)?.slice(2) };
    return [{ ...list(bare), name: './manifest.json' }];
  },
};

export const LAYOUTS: Readonly<Record<LayoutName, ArchiveLayout>> = { docker, oci, imgpull, crpy };

function list(finished: Finished): SmallFile {
  const images = dockerList(finished).map(({ config, names, layers }) => {
    return { Config: config, RepoTags: names, Layers: layers };
  });
  return { name: 'manifest.json', bytes: Buffer.from(JSON.stringify(images)) };
}

function byDigest({ manifest, repository }: Named): readonly string[] {
  return [formatReference(repository, manifest.descriptor.digest)];
}

function isConfig({ mediaType }: Descriptor): boolean {
  return /(?:image\.config|container\.image)\.v1\+json$/.test(mediaType);
}

function suffixOf(mediaType: string): string {
  if (mediaType.endsWith('gzip') || mediaType === '') return '.tar.gz';
  if (mediaType.endsWith('zstd')) return '.tar.zstd';
  if (mediaType.endsWith('tar')) return '.tar';
  throw new RegistryError('UNSUPPORTED', `such an archive has no place for ${mediaType}`);
}
