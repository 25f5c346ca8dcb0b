import { algorithmOf, digestOf, hexOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { entriesOf, type IndexEntry } from '../../core/image-index.ts';
import { LARGEST_MANIFEST } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import type { Reference } from '../../core/reference.ts';
import type { Listed } from '../opened.ts';
import { bytesOf, type Content, type Files } from './content.ts';
import { merged, nameOf } from './images.ts';

/** What containerd and docker put whole names into. */
export const CONTAINERD_NAME = 'io.containerd.image.name';
/** image-spec annotations.md. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** What a place holds, however it is laid out. */
export interface Held {
  readonly images: readonly Listed[];
  readonly open: (digest: Digest) => Promise<Content | undefined>;
}

/** Where an OCI image layout has content (image-spec image-layout.md). */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/**
 * What an OCI image layout holds; `undefined` where there is none.
 * @throws RegistryError MANIFEST_INVALID, SIZE_INVALID
 */
export async function ociLayout(files: Files): Promise<Held | undefined> {
  const index = await files.open('index.json');
  if (index === undefined) return undefined;
  const bytes = await bytesOf(index, LARGEST_MANIFEST, `${files.name}, index.json`);
  const entries = listedIn(bytes, files.name);
  const open = (digest: Digest): Promise<Content | undefined> => files.open(blobPath(digest));
  if (!onePerPlatform(entries)) {
    const images = entries.map((entry) => ({ descriptor: entry, names: namesOf(entry) }));
    return { images: merged(images), open };
  }
  // One image, whose index is the layout's own.
  const digest = digestOf(bytes);
  const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest, size: bytes.length };
  return {
    images: [{ descriptor, names: [] }],
    open: async (asked) => (asked === digest ? inMemory(bytes) : open(asked)),
  };
}

function listedIn(bytes: Uint8Array, place: string): readonly IndexEntry[] {
  try {
    return entriesOf(bytes);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new RegistryError(cause.code, `${place}, index.json: ${cause.message}`, {
      cause: cause.cause,
    });
  }
}

/** Bytes at hand, as content. */
export function inMemory(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    read: async (position, into) => bytes.subarray(position, position + into.length),
    async [Symbol.asyncDispose]() {},
  };
}

/** @throws RegistryError MANIFEST_INVALID for a layout of a version that nobody knows yet */
export async function checkLayoutVersion(files: Files): Promise<void> {
  const marker = await files.open('oci-layout');
  if (marker === undefined) return;
  const text = (await bytesOf(marker, 64 * 1024, `${files.name}, oci-layout`)).toString();
  if (/"imageLayoutVersion"\s*:\s*"1\./.test(text)) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${files.name}: not an OCI image layout of version 1`,
  );
}

function onePerPlatform(entries: readonly IndexEntry[]): boolean {
  return (
    entries.length > 1 &&
    entries.every((entry) => entry.platform !== undefined && namesOf(entry).length === 0)
  );
}

function namesOf({ annotations = {} }: IndexEntry): readonly Reference[] {
  const text = annotations[CONTAINERD_NAME] ?? annotations[REF_NAME];
  const name = text === undefined ? undefined : nameOf(text);
  return name === undefined ? [] : [name];
}
