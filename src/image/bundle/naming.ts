import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { HOSTED, isHosted } from '../../core/hosted.ts';
import { formatReference, parsePath, same, type Reference } from '../../core/reference.ts';
import { UNNAMED } from '../archive/images.ts';
import { parseReference } from '../location.ts';
import type { Listed } from '../opened.ts';
import type { Contents } from './contents.ts';
import type { Lock, LockedImage } from './lock.ts';
import type { Shelf } from './shelf.ts';

/** An image of an archive, and what it is to be called here. */
export interface NamedImage {
  readonly reference: Reference;
  readonly root: Descriptor;
  readonly locked: LockedImage | undefined;
}

export interface NamingOptions {
  readonly name: string;
  readonly contents: Contents;
  readonly lock: Lock | undefined;
  readonly as: Reference | undefined;
  readonly place: Shelf['place'];
}

/**
 * Which images the archive holds under which names.
 * @throws RegistryError NAME_INVALID for images without a name; NAME_UNKNOWN with every name that has
 *   no place here; MANIFEST_INVALID for an archive that lists others than its lock
 */
export function nameImages(options: NamingOptions): readonly NamedImage[] {
  const { name, contents, lock, as, place } = options;
  const images = lock === undefined ? unlocked(options) : locked(name, contents.listed, lock);
  if (images.length === 0) throw new RegistryError('MANIFEST_UNKNOWN', `${name} holds no image`);
  const named = as === undefined ? images : renamed(images, as, options);
  const faults: string[] = [];
  const placed = named.flatMap(({ reference, root, locked }) => {
    try {
      const stated = locked !== undefined || as !== undefined ? 'mirrored' : 'anywhere';
      const repository = place(reference, isHosted(reference.repository) ? 'hosted' : stated);
      return [{ reference: { repository, at: reference.at }, root, locked }];
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      faults.push(`${formatReference(reference.repository, reference.at)}: ${error.message}`);
      return [];
    }
  });
  refuseTwice(name, placed);
  if (faults.length === 0) return placed;
  throw new RegistryError('NAME_UNKNOWN', `nothing was imported\n  ${faults.join('\n  ')}`);
}

/** A name has one meaning. */
function refuseTwice(name: string, images: readonly NamedImage[]): void {
  const meanings = new Map<string, Digest>();
  for (const { reference, root } of images) {
    const text = formatReference(reference.repository, reference.at);
    const known = meanings.get(text) ?? root.digest;
    if (known !== root.digest) {
      throw new RegistryError(
        'MANIFEST_INVALID',
        `${name} calls two images ${text}: ${known} and ${root.digest}`,
      );
    }
    meanings.set(text, known);
  }
}

interface Unplaced extends NamedImage {
  readonly text: string;
}

function unlocked({ name, contents, as }: NamingOptions): readonly Unplaced[] {
  const subjects = new Set([...contents.referrers.values()].flat().map(({ digest }) => digest));
  const images = contents.listed.filter(
    ({ descriptor, names }) => names.length > 0 || !subjects.has(descriptor.digest),
  );
  const nameless = images.find(
    ({ names }) => !names.some(({ repository }) => !same(repository, UNNAMED)),
  );
  if (nameless !== undefined && as === undefined) {
    const what = nameless.names[0]?.at ?? nameless.descriptor.digest;
    throw new RegistryError(
      'NAME_INVALID',
      `${name} does not say what ${what} is called: say it with --as, such as --as docker.io/library/alpine:3.20`,
    );
  }
  return images.flatMap((image) => references(image));
}

function references({ descriptor, names }: Listed): readonly Unplaced[] {
  const whole = names.filter(({ repository }) => !same(repository, UNNAMED));
  const found = whole.length > 0 ? whole : [{ repository: UNNAMED, at: descriptor.digest }];
  return found.map((reference) => ({
    reference,
    root: descriptor,
    locked: undefined,
    text: formatReference(reference.repository, reference.at),
  }));
}

function locked(name: string, listed: readonly Listed[], lock: Lock): readonly Unplaced[] {
  const faults: string[] = [];
  const inIndex = new Map(
    listed.flatMap(({ descriptor, names }) =>
      names.map((one) => [formatReference(one.repository, one.at), descriptor.digest] as const),
    ),
  );
  const images = lock.images.map((image): Unplaced => {
    const parsed = parseReference(image.name);
    const text = formatReference(parsed.repository, parsed.at);
    if (inIndex.get(text) !== image.root.digest) {
      faults.push(`its list of images has no ${image.name} that is ${image.root.digest}`);
    }
    inIndex.delete(text);
    return { reference: referenceOf(image, parsed), root: image.root, locked: image, text };
  });
  for (const text of inIndex.keys()) faults.push(`its list of images has ${text} as well`);
  if (faults.length === 0) return images;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${name} does not match the lock\n  ${faults.join('\n  ')}`,
  );
}

/** What lives in a mirror itself is called by its path alone, which else would be Docker Hub's. */
function referenceOf({ name, hosted }: LockedImage, parsed: Reference): Reference {
  if (!hosted) return parsed;
  const path = name.slice(0, name.length - String(parsed.at).length - 1);
  return { repository: { host: HOSTED, path: parsePath(path) }, at: parsed.at };
}

function renamed(
  images: readonly Unplaced[],
  as: Reference,
  { name }: NamingOptions,
): readonly Unplaced[] {
  const [first] = images;
  const one = first !== undefined && images.every(({ root }) => root.digest === first.root.digest);
  if (!one) {
    const texts = images.map(({ text }) => text).join(', ');
    throw new RegistryError(
      'NAME_INVALID',
      `--as names one image, and ${name} holds several: ${texts}`,
    );
  }
  return [{ ...first, reference: as }];
}
