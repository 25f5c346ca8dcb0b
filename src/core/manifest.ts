import { parseDescriptor, type Descriptor } from './descriptor.ts';
import { digestOf, type Algorithm } from './digest.ts';
import { RegistryError } from './errors.ts';
import { bareType, MANIFEST_TYPES, MEDIA_TYPES } from './media-type.ts';
import type { Answered } from './served.ts';
import { isRecord } from './shape.ts';

/** What a name or digest stands for, without the bytes. */
export interface Resolution extends Answered {
  readonly descriptor: Descriptor;
}

/** Small and whole: the bytes have been checked against the descriptor before anyone sees them. */
export interface Manifest extends Resolution {
  readonly bytes: Uint8Array;
}

/** Bytes: the distribution specification's 4 MiB, and the little more that containerd accepts. */
export const LARGEST_MANIFEST = 4 * 1048 * 1048;

/** @throws RegistryError MANIFEST_INVALID if the bytes are not a JSON object */
export function parseManifest(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  if (isRecord(value)) return value;
  throw new RegistryError('MANIFEST_INVALID', 'the manifest is not a JSON object');
}

/** What can be said in a header: RFC 6838 section 4.2, and parameters, which some have. */
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+(?:\s*;[\t\x20-\x7e]*)?$/;

/**
 * The type a manifest's bytes state or imply; `undefined` when they do neither. The bytes win over
 * whatever a server claimed, because clients hold the two against each other.
 * @throws RegistryError MANIFEST_INVALID
 */
export function mediaTypeOf(bytes: Uint8Array): string | undefined {
  const value = parseManifest(bytes);
  const stated = value['mediaType'];
  if (typeof stated === 'string' && stated !== '') {
    if (MEDIA_TYPE.test(stated)) return stated;
    throw new RegistryError('MANIFEST_INVALID', 'the mediaType of the manifest is none');
  }
  if (value['schemaVersion'] === 1) {
    return 'signatures' in value ? MEDIA_TYPES.dockerSchema1Signed : MEDIA_TYPES.dockerSchema1;
  }
  if (Array.isArray(value['manifests'])) return MEDIA_TYPES.ociIndex;
  if (parseDescriptor(value['config']) !== undefined || Array.isArray(value['layers'])) {
    return MEDIA_TYPES.ociManifest;
  }
  return undefined;
}

/**
 * Makes a manifest of bytes that came with `contentType` (from a header, so possibly a lie).
 * @throws RegistryError MANIFEST_INVALID if the bytes are no JSON object, or nobody knows their type
 */
export function manifestOf(
  bytes: Uint8Array,
  contentType: string | undefined,
  algorithm: Algorithm = 'sha256',
): Manifest {
  const claimed = contentType === undefined ? undefined : bareType(contentType);
  const mediaType = mediaTypeOf(bytes) ?? (isManifestType(claimed) ? claimed : undefined);
  if (mediaType === undefined) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      'the manifest states no media type and implies none',
    );
  }
  const digest = digestOf(bytes, algorithm);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

export function isManifestType(type: string | undefined): type is string {
  return type !== undefined && MANIFEST_TYPES.includes(type);
}

/** The descriptors listed under `manifests` (an index, a referrers answer); malformed entries are left out. */
export function childrenOf(bytes: Uint8Array): readonly Descriptor[] {
  const listed = parseManifest(bytes)['manifests'];
  return Array.isArray(listed) ? listed.flatMap((entry) => parseDescriptor(entry) ?? []) : [];
}
