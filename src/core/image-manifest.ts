import { parseDescriptor, type Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import { parseManifest } from './manifest.ts';
import { MEDIA_TYPES } from './media-type.ts';
import { isTextRecord } from './shape.ts';

/** image-spec manifest.md, or docker's schema 2: what an image or an artifact is made of. */
export interface ImageManifest {
  readonly config: Descriptor;
  /** The base first. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** @throws RegistryError MANIFEST_INVALID for an index, schema 1, or anything else without config and layers */
export function parseImageManifest(bytes: Uint8Array): ImageManifest {
  const { schemaVersion, config, layers, subject, artifactType, annotations } =
    parseManifest(bytes);
  if (schemaVersion === 1) {
    const message =
      "a manifest of docker's schema 1, which was given up and lists no config: the image has to be pushed anew by a newer tool";
    throw new RegistryError('MANIFEST_INVALID', message);
  }
  const [head, about] = [parseDescriptor(config), parseDescriptor(subject)];
  if (head === undefined || !Array.isArray(layers)) {
    throw new RegistryError('MANIFEST_INVALID', 'not an image: it lists no config and layers');
  }
  return {
    config: head,
    layers: layers.map((layer: unknown, index) => {
      const descriptor = parseDescriptor(layer);
      if (descriptor !== undefined) return descriptor;
      throw new RegistryError('MANIFEST_INVALID', `layer ${index} is not a descriptor`);
    }),
    ...(about !== undefined && { subject: about }),
    ...(typeof artifactType === 'string' && { artifactType }),
    annotations: isTextRecord(annotations) ? annotations : {},
  };
}

/** Whether the type is one of those that list manifests by platform. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerList;
}
