import { isDigest, type Digest } from './digest.ts';
import { isCount, isRecord, isTextRecord } from './shape.ts';

/** image-spec descriptor.md. `size` in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `undefined` for anything that is not a descriptor; members that are not known here are left out. */
export function parseDescriptor(value: unknown): Descriptor | undefined {
  if (!isRecord(value)) return undefined;
  const { mediaType, digest, size, artifactType, annotations } = value;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) {
    return undefined;
  }
  if (!isCount(size)) return undefined;
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(isTextRecord(annotations) && { annotations }),
  };
}
