import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { digestOf, isDigest, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';

/** The file of a bundle that holds its lock. */
export const LOCK_NAME = 'layover.lock.json';
export const LOCK_TYPE = 'application/vnd.layover.lock.v1+json';

/** Bytes: some 150,000 digests. */
export const LARGEST_LOCK = 32 * 1024 * 1024;

/** `platform`: another one was asked for. The others say what they are. */
export type WhyLeftOut = 'platform' | 'not stored' | 'not distributable';

/** Something that an image lists and that was left out on purpose. */
export interface LeftOut extends Pick<Descriptor, 'digest' | 'mediaType' | 'size'> {
  /** `os/architecture[/variant]`, where the index states one. */
  readonly platform?: string;
  readonly why: WhyLeftOut;
}

export interface LockedImage {
  /** Repository and tag, or repository and digest; what lives in the mirror itself has no registry in front. */
  readonly name: string;
  readonly hosted: boolean;
  /** Of the manifest or index that the name stands for. */
  readonly root: Pick<Descriptor, 'digest' | 'mediaType' | 'size'>;
  /** Those taken, as `os/architecture[/variant]`. */
  readonly platforms: readonly string[];
  /** Manifests that refer to something of the image, and that go with it. */
  readonly referrers: readonly Digest[];
  readonly leftOut: readonly LeftOut[];
}

export interface LockedContent extends Pick<Descriptor, 'digest' | 'mediaType' | 'size'> {
  /** `base`: not in this bundle, but in the one that it goes on from. */
  readonly in: 'bundle' | 'base';
}

/** Everything that belongs to a bundle, by digest. Equal content makes equal locks, to the byte. */
export interface Lock {
  /** Sorted by name. */
  readonly images: readonly LockedImage[];
  /** Sorted by digest. */
  readonly content: readonly LockedContent[];
  /** Of the lock that this one goes on from. */
  readonly since?: Digest;
}

/** As it stands in a bundle and beside it: equal locks make equal bytes. */
export function formatLock({ images, content, since }: Lock): Buffer {
  const value = {
    schemaVersion: 1,
    mediaType: LOCK_TYPE,
    ...(since !== undefined && { since }),
    images: images.map(({ name, hosted, root, platforms, referrers, leftOut }) => ({
      name,
      ...(hosted && { hosted }),
      ...described(root),
      platforms,
      referrers,
      leftOut: leftOut.map((one) => ({
        ...described(one),
        ...(one.platform !== undefined && { platform: one.platform }),
        why: one.why,
      })),
    })),
    content: content.map((one) => ({
      ...described(one),
      ...(one.in === 'base' && { in: one.in }),
    })),
  };
  return Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`);
}

/** @throws RegistryError MANIFEST_INVALID for more than any reader of locks takes */
export function checkLockSize(bytes: number, place: string): void {
  if (bytes <= LARGEST_LOCK) return;
  const message = `${place} is larger than any lock: ${bytes} bytes, not ${LARGEST_LOCK} at most; choose fewer images for one bundle`;
  throw new RegistryError('MANIFEST_INVALID', message);
}

/** What another lock says that it goes on from. */
export function lockDigest(lock: Lock): Digest {
  return digestOf(formatLock(lock));
}

/** @throws RegistryError MANIFEST_INVALID, saying where */
export function parseLock(bytes: Uint8Array, place: string): Lock {
  const invalid = (why: string): RegistryError =>
    new RegistryError('MANIFEST_INVALID', `${place} is no lock of a bundle: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isRecord(value) || value['mediaType'] !== LOCK_TYPE) throw invalid(`no ${LOCK_TYPE}`);
  if (value['schemaVersion'] !== 1) throw invalid('a version that is not known');
  const { images, content, since } = value;
  if (!Array.isArray(images) || !Array.isArray(content)) throw invalid('no images and content');
  if (since !== undefined && !(typeof since === 'string' && isDigest(since)))
    throw invalid('since is no digest');
  const lock = {
    images: images.map((one: unknown, at) => imageOf(one) ?? fail(invalid(`images[${at}]`))),
    content: content.map((one: unknown, at) => contentOf(one) ?? fail(invalid(`content[${at}]`))),
    ...(since !== undefined && { since }),
  };
  const digests = new Set(lock.content.map(({ digest }) => digest));
  if (digests.size !== lock.content.length) throw invalid('a digest is listed twice');
  return lock;
}

function described({ digest, mediaType, size }: Pick<Descriptor, 'digest' | 'mediaType' | 'size'>) {
  return { digest, mediaType, size };
}

function imageOf(value: unknown): LockedImage | undefined {
  const root = parseDescriptor(value);
  if (root === undefined || !isRecord(value)) return undefined;
  const { name, hosted = false, platforms, referrers, leftOut } = value;
  if (typeof name !== 'string' || typeof hosted !== 'boolean') return undefined;
  if (!isList(platforms, isText) || !isList(referrers, isDigestText)) return undefined;
  if (!Array.isArray(leftOut)) return undefined;
  const left = leftOut.map(leftOutOf).filter((one) => one !== undefined);
  if (left.length !== leftOut.length) return undefined;
  return { name, hosted, root: described(root), platforms, referrers, leftOut: left };
}

function leftOutOf(value: unknown): LeftOut | undefined {
  const descriptor = parseDescriptor(value);
  if (descriptor === undefined || !isRecord(value)) return undefined;
  const { platform, why } = value;
  if (why !== 'platform' && why !== 'not stored' && why !== 'not distributable') return undefined;
  return { ...described(descriptor), ...(typeof platform === 'string' && { platform }), why };
}

function contentOf(value: unknown): LockedContent | undefined {
  const descriptor = parseDescriptor(value);
  if (descriptor === undefined || !isRecord(value)) return undefined;
  const place = value['in'] ?? 'bundle';
  if (place !== 'bundle' && place !== 'base') return undefined;
  return { ...described(descriptor), in: place };
}

function isList<T>(value: unknown, is: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.every((one) => is(one));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isDigestText(value: unknown): value is Digest {
  return typeof value === 'string' && isDigest(value);
}

function fail(error: Error): never {
  throw error;
}
