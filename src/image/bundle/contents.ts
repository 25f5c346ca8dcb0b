import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { LARGEST_MANIFEST, manifestOf, parseManifest, type Manifest } from '../../core/manifest.ts';
import { isRecord, isTextRecord } from '../../core/shape.ts';
import { bytesOf, damaged } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { held } from '../archive/open-place.ts';
import type { Held } from '../archive/oci-layout.ts';
import { LARGEST_SMALL } from './members.ts';
import { subjectOf, type ClosureSource } from './closure-parts.ts';
import type { Intake } from './intake.ts';
import type { Lock } from './lock.ts';
import type { Shelf } from './shelf.ts';

/** Bytes. */
const LARGEST_CONFIG = 8 * 1024 * 1024;

/** What an archive that has been taken in amounts to. */
export interface Contents {
  readonly listed: Held['images'];
  /** Manifests without a name that refer to another one, by what they refer to. */
  readonly referrers: ReadonlyMap<Digest, readonly Descriptor[]>;
  readonly source: ClosureSource;
}

/** @throws RegistryError MANIFEST_INVALID for what is no archive of images */
export async function contentsOf(intake: Intake, shelf: Shelf, name: string): Promise<Contents> {
  const { images: listed, open } = await held(intake.files);
  const { lock } = intake;
  const locked = lock && new Map(lock.content.map((one) => [one.digest, one.size]));
  const read = async (digest: Digest, most: number): Promise<Buffer | undefined> => {
    if (locked?.has(digest) === false) return undefined;
    // What the archive goes on from is in the store, and never there by accident: a lock names it.
    const content = (await open(digest)) ?? (locked && (await openFile(shelf.paths.blob(digest))));
    if (content === undefined) return undefined;
    const bytes = await bytesOf(content, most, `${name}, ${digest}`);
    if (digestOf(bytes, algorithmOf(digest)) === digest) return bytes;
    // Not the archive is damaged then, but what was here: as good as not there.
    if (locked !== undefined && !intake.has(digest)) return undefined;
    throw damaged(name, digest);
  };
  const small = async (digest: Digest): Promise<Buffer | undefined> => {
    if (intake.has(digest)) return undefined;
    await using content = await open(digest);
    if (content === undefined || content.size > LARGEST_SMALL) return undefined;
    const bytes = await read(digest, LARGEST_SMALL);
    if (bytes !== undefined) await intake.put(bytes, digest);
    return bytes;
  };
  const manifest = async (digest: Digest): Promise<Manifest | undefined> => {
    const bytes = await read(digest, LARGEST_MANIFEST);
    if (bytes === undefined) return undefined;
    await intake.put(bytes, digest);
    return manifestOf(bytes, undefined, algorithmOf(digest));
  };
  const referrers = new Map<Digest, Descriptor[]>();
  for (const { descriptor, names } of listed) {
    if (names.length > 0) continue;
    const found = await manifest(descriptor.digest);
    const subject = found && subjectOf(found);
    if (found === undefined || subject === undefined) continue;
    referrers.set(subject, [...(referrers.get(subject) ?? []), asReferrer(found)]);
  }
  return {
    listed,
    referrers,
    source: {
      manifest,
      size: async (digest) => {
        if (locked?.has(digest) === false) return undefined;
        // Not all that is in the archive was to be stored.
        const here = intake.size(digest);
        if (here !== undefined) return here;
        const size = await shelf.content.size(digest);
        // As good as not there.
        if (locked !== undefined) return size === locked.get(digest) ? size : undefined;
        // A configuration that docker saved is among the small files by now.
        return size ?? (await small(digest))?.length;
      },
      config: async ({ digest, size }) =>
        size > LARGEST_CONFIG || !(intake.has(digest) || locked?.has(digest) === true)
          ? undefined
          : read(digest, LARGEST_CONFIG),
      referrers: async (digest) => referrers.get(digest) ?? [],
    },
  };
}

/** As a registry would list it (distribution specification, "Listing Referrers"). */
function asReferrer({ bytes, descriptor }: Manifest): Descriptor {
  const { artifactType, config, annotations } = parseManifest(bytes);
  const type = artifactType ?? (isRecord(config) ? config['mediaType'] : undefined);
  return {
    ...descriptor,
    ...(typeof type === 'string' && { artifactType: type }),
    ...(isTextRecord(annotations) && { annotations }),
  };
}

/**
 * Holds everything that was found against the lock.
 * @throws RegistryError MANIFEST_INVALID, with every difference
 */
export function checkLock(name: string, lock: Lock, found: ReadonlyMap<Digest, Descriptor>): void {
  const faults = lock.content.flatMap(({ digest, size, mediaType }) => {
    const one = found.get(digest);
    if (one === undefined) return [`${digest} belongs to no image`];
    if (one.size !== size) return [`${digest} has ${one.size} bytes, not ${size}`];
    return one.mediaType === mediaType ? [] : [`${digest} is ${one.mediaType}, not ${mediaType}`];
  });
  const locked = new Set(lock.content.map(({ digest }) => digest));
  for (const digest of found.keys())
    if (!locked.has(digest)) faults.push(`${digest} is not listed`);
  if (faults.length === 0) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${name} does not match the lock\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
  );
}
