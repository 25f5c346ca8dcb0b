import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import { algorithmOf, digestOf } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { isIndexType } from '../core/image-manifest.ts';
import { isManifestType, mediaTypeOf, parseManifest } from '../core/manifest.ts';
import { bareType, MEDIA_TYPES } from '../core/media-type.ts';
import { isTextRecord } from '../core/shape.ts';
import { livesElsewhere } from './references.ts';
import { LARGEST_PUSHED, type ManifestPut } from './hosted.ts';

/** A manifest that makes sense by itself, taken apart. */
export interface Pushed {
  /** As it is listed among the referrers of its subject. */
  readonly descriptor: Descriptor;
  /** Configuration and layers, without those that live elsewhere by design. */
  readonly blobs: readonly Descriptor[];
  /** What an index lists: manifests, mostly. */
  readonly children: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
}

/** Entries of one manifest: each is looked up when it is pushed. The largest images have some hundred. */
const MOST_ENTRIES = 10_000;

/**
 * Reads a manifest as strictly as a registry that has to live with it should.
 * @throws RegistryError MANIFEST_INVALID, DIGEST_INVALID, SIZE_INVALID with status 413
 */
export function parsePushed(put: Omit<ManifestPut, 'tags'>): Pushed {
  const { bytes, contentType } = put;
  if (bytes.length > LARGEST_PUSHED) {
    throw new RegistryError(
      'SIZE_INVALID',
      `a manifest has ${LARGEST_PUSHED} bytes at most, this one ${bytes.length}`,
      { status: 413 },
    );
  }
  if (bytes[0] === 0xef) {
    // A mark of the byte order, which JSON does not have and clients do not read (RFC 8259 section 8.1).
    throw new RegistryError('MANIFEST_INVALID', 'the manifest does not begin as JSON does');
  }
  const value = parseManifest(bytes);
  const algorithm =
    put.digest === undefined ? (put.algorithm ?? 'sha256') : algorithmOf(put.digest);
  const digest = digestOf(bytes, algorithm);
  if (put.digest !== undefined && put.digest !== digest) {
    throw new RegistryError('DIGEST_INVALID', `what came is ${digest}, not ${put.digest}`);
  }
  const mediaType = typeOf(bytes, value, contentType);
  const parts = isIndexType(mediaType) ? indexParts(value) : imageParts(value);
  const subject = optional(value, 'subject');
  const { config, annotations } = value;
  const artifactType = nonEmpty(value['artifactType']) ?? parseDescriptor(config)?.mediaType;
  return {
    descriptor: {
      mediaType,
      digest,
      size: bytes.length,
      ...(artifactType !== undefined && { artifactType }),
      ...(isTextRecord(annotations) && { annotations }),
    },
    ...parts,
    subject,
  };
}

/** What the bytes say, which must be what the header says. */
function typeOf(
  bytes: Uint8Array,
  value: Readonly<Record<string, unknown>>,
  contentType: string | undefined,
): string {
  if (value['schemaVersion'] !== 2) throw invalid('schemaVersion is not 2');
  const claimed = contentType === undefined ? undefined : bareType(contentType);
  const stated = value['mediaType'];
  if (stated !== undefined && typeof stated !== 'string') throw invalid('mediaType is not text');
  if (stated !== undefined && claimed !== undefined && stated !== claimed) {
    throw invalid(`it says it is ${quote(stated)}, the request says ${quote(claimed)}`);
  }
  const type = stated ?? claimed ?? mediaTypeOf(bytes);
  const known = isManifestType(type) && type !== MEDIA_TYPES.dockerSchema1;
  if (known && type !== MEDIA_TYPES.dockerSchema1Signed) return type;
  throw invalid(`${quote(type ?? 'nothing')} is not the type of a manifest that can be pushed`);
}

function imageParts(value: Readonly<Record<string, unknown>>): Pick<Pushed, 'blobs' | 'children'> {
  if ('manifests' in value) throw invalid('an image lists no manifests');
  const config = optional(value, 'config');
  if (config === undefined) throw invalid('it has no config');
  const local = listed(value, 'layers').filter(({ entry }) => !livesElsewhere(entry));
  return { blobs: [config, ...local.map(({ descriptor }) => descriptor)], children: [] };
}

function indexParts(value: Readonly<Record<string, unknown>>): Pick<Pushed, 'blobs' | 'children'> {
  if ('config' in value || 'layers' in value) throw invalid('an index has no config and no layers');
  return { blobs: [], children: listed(value, 'manifests').map(({ descriptor }) => descriptor) };
}

interface Entry {
  readonly entry: unknown;
  readonly descriptor: Descriptor;
}

/** None at all and `null`, as some tools write it, are an empty list. */
function listed(value: Readonly<Record<string, unknown>>, name: string): readonly Entry[] {
  const list = value[name] ?? [];
  if (!Array.isArray(list)) throw invalid(`${name} is not a list`);
  if (list.length > MOST_ENTRIES) {
    throw invalid(`${name} has ${list.length} entries; ${MOST_ENTRIES} are allowed`);
  }
  return list.map((entry: unknown, index) => {
    const descriptor = parseDescriptor(entry);
    if (descriptor === undefined) throw invalid(`${name}[${index}] is not a descriptor`);
    return { entry, descriptor };
  });
}

function optional(
  value: Readonly<Record<string, unknown>>,
  name: 'config' | 'subject',
): Descriptor | undefined {
  if (value[name] === undefined || value[name] === null) return undefined;
  const descriptor = parseDescriptor(value[name]);
  if (descriptor === undefined) throw invalid(`${name} is not a descriptor`);
  return descriptor;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(why: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the manifest is not valid: ${why}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 160));
}
