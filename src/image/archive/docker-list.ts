import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { entriesOf } from '../../core/image-index.ts';
import { isIndexType, parseImageManifest, type ImageManifest } from '../../core/image-manifest.ts';
import type { Manifest } from '../../core/manifest.ts';
import { hostPlatform, matchesPlatform } from '../../core/platform.ts';
import { formatReference, same } from '../../core/reference.ts';
import { printableName } from '../../layer/name.ts';
import type { Finished } from './archive-layout.ts';
import type { DockerImage } from './docker-manifest.ts';
import { UNNAMED } from './images.ts';

import type { Named, Received } from './received.ts';

/** The places for what a docker archive has no place for, as `detail.suited` of the error. */
const SUITED: readonly string[] = ['oci', 'oci-archive'];

/**
 * What `manifest.json` lists. Of an image for several platforms that is one: this machine's, or the
 * first that is there. Artifacts are no images and are left out.
 * `nameless` says what stands for the names of an image that was written under its digest alone.
 * @throws RegistryError UNSUPPORTED for an image with layers that were not written
 */
export function dockerList(
  { received, path }: Finished,
  nameless: (image: Named) => readonly string[] = () => [],
): readonly DockerImage[] {
  return received.images.flatMap((named) => {
    const image = imageFor(named, received);
    if (image === undefined) return [];
    const config = path(image.config.digest);
    if (config === undefined) return [];
    return [
      {
        config,
        names: named.names.length === 0 ? nameless(named) : namesOf(named),
        layers: image.layers.map(({ digest }) => path(digest) ?? missing(digest)),
      },
    ];
  });
}

/** A stand-in for a name is none. */
function namesOf({ names }: Named): readonly string[] {
  const own = names.filter(({ repository }) => !same(repository, UNNAMED));
  return own.map(({ repository, at }) => formatReference(repository, at));
}

function imageFor({ manifest }: Named, received: Received): ImageManifest | undefined {
  const { bytes, descriptor } = manifest;
  if (!isIndexType(descriptor.mediaType)) return imageOf(manifest);
  const there = entriesOf(bytes).flatMap((entry) => {
    const child = received.get(entry.digest);
    const image = child && !isIndexType(child.descriptor.mediaType) ? imageOf(child) : undefined;
    return image === undefined ? [] : [{ image, platform: entry.platform }];
  });
  const host = hostPlatform();
  const own = there.find(({ platform }) => platform && matchesPlatform(host, platform));
  return (own ?? there.find(({ platform }) => platform?.os !== 'unknown'))?.image;
}

function imageOf({ bytes }: Manifest): ImageManifest | undefined {
  const image = parseImageManifest(bytes);
  return isImage(image) ? image : undefined;
}

function isImage({ config }: ImageManifest): boolean {
  return /^application\/vnd\.(?:oci\.image\.config|docker\.container\.image)\.v1\+json$/.test(
    config.mediaType,
  );
}

/** @throws RegistryError UNSUPPORTED for what is no image */
export function refuseArtifact(manifest: ImageManifest, name: string): void {
  if (isImage(manifest)) return;
  const { artifactType = manifest.config.mediaType } = manifest;
  throw unsuited(
    `${name} is an artifact of type ${printableName(artifactType)}, not an image: a docker archive has no place for it`,
  );
}

/** @throws RegistryError UNSUPPORTED */
export function missing(digest: Digest): never {
  throw unsuited(
    `a docker archive needs every layer, and ${digest}, which may not be handed on, is kept elsewhere: an OCI layout does without`,
  );
}

function unsuited(message: string): RegistryError {
  return new RegistryError('UNSUPPORTED', message, { detail: { suited: SUITED } });
}
