import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import type { IndexEntry } from '../../core/image-index.ts';
import { parseImageManifest } from '../../core/image-manifest.ts';
import { parseManifest, type Manifest } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import { platformOf, type Platform } from '../../core/platform.ts';
import type { Digest } from '../../core/digest.ts';
import type { LeftOut } from './lock.ts';

/** Where the closure is looked for. What is not there is `undefined`. */
export interface ClosureSource {
  manifest(digest: Digest): Promise<Manifest | undefined>;
  /** Bytes of any content. */
  size(digest: Digest): Promise<number | undefined>;
  /** A configuration, which states the platform of an image that is for one alone. */
  config(descriptor: Descriptor): Promise<Uint8Array | undefined>;
  referrers(digest: Digest): Promise<readonly Descriptor[]>;
}

export interface ClosureRules {
  /** Of an index: every image that is there at all, every one that is listed, or those for these platforms. */
  readonly platforms: 'stored' | 'all' | readonly Platform[];
  /** Manifests that refer to what is taken: those that are there whole, all of them, or none. */
  readonly referrers: 'stored' | 'all' | 'none';
}

export interface Part {
  readonly descriptor: Descriptor;
  readonly kind: 'manifest' | 'blob';
}

/** Something that belongs to the image and is not there. */
export interface Missing extends Pick<Descriptor, 'digest' | 'mediaType' | 'size'> {
  readonly neededBy: string;
}

/** For people, in one line. */
export function describeMissing({ digest, mediaType, size, neededBy }: Missing): string {
  return `${digest} (${mediaType}, ${size} bytes), needed by ${neededBy}`;
}

/** Everything that an image is nothing without. */
export interface Closure {
  /** What lists something comes before what it lists. */
  readonly content: ReadonlyMap<Digest, Part>;
  readonly platforms: readonly string[];
  /** What refers to something of it, itself part of the content. */
  readonly referrers: readonly Descriptor[];
  readonly leftOut: readonly LeftOut[];
  /** Manifests of which some content was left out or is missing. */
  readonly partial: ReadonlySet<Digest>;
  readonly missing: readonly Missing[];
  /** Manifests of images that were wanted, each for one platform, and are whole. */
  readonly whole: readonly Digest[];
}

/** What the manifest refers to, if anything. @throws RegistryError MANIFEST_INVALID for what is no JSON object */
export function subjectOf({ bytes }: Manifest): Digest | undefined {
  return parseDescriptor(parseManifest(bytes)['subject'])?.digest;
}

/** Docker's schema 1, which names its layers by digest alone, and has its configuration in itself. */
export function isOld({ descriptor: { mediaType } }: Manifest): boolean {
  return mediaType === MEDIA_TYPES.dockerSchema1 || mediaType === MEDIA_TYPES.dockerSchema1Signed;
}

/** Whether an index lists something to be run there, and not what buildkit says of another image. */
export function isForAPlatform({ platform }: IndexEntry): boolean {
  return platform?.os !== 'unknown';
}

/** Of an image: its configuration first. @throws RegistryError MANIFEST_INVALID */
export function partsOf({ bytes }: Manifest): readonly Descriptor[] {
  const { config, layers } = parseImageManifest(bytes);
  return [config, ...layers];
}

/** `undefined` for a configuration that states none, or is none. */
export function platformIn(config: Uint8Array): Platform | undefined {
  try {
    return platformOf(JSON.parse(Buffer.from(config).toString()));
  } catch {
    return undefined;
  }
}

/** What `formatPlatform` has written. */
export function read(text: string): Platform {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
