import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import {
  atDigest,
  formatReference,
  isTag,
  same,
  type Reference,
  type Repository,
  type Tag,
} from '../../core/reference.ts';
import { formatImageName, parseReference, type ImageName } from '../location.ts';
import type { Listed } from '../opened.ts';

/** What an image is found under that has a tag and no repository, or no name at all. */
export const UNNAMED: Repository = { host: 'localhost', path: 'image' };

/** What stands in an annotation or in `RepoTags`: a whole name, or a tag alone. */
export function nameOf(text: string): Reference | undefined {
  if (isTag(text)) return { repository: UNNAMED, at: text };
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

/** The list with each manifest once, under all its names. */
export function merged(images: readonly Listed[]): readonly Listed[] {
  const found = new Map<Digest, Listed>();
  for (const { descriptor, names } of images) {
    const before = found.get(descriptor.digest)?.names ?? [];
    const more = names.filter((name) => !before.some((one) => equal(one, name)));
    found.set(descriptor.digest, { descriptor, names: [...before, ...more] });
  }
  return [...found.values()];
}

/** Which manifest is meant under that name in that repository, if any is. */
export function find(
  images: readonly Listed[],
  repository: Repository,
  at: Tag | Digest,
): Descriptor | undefined {
  const name = { repository, at };
  return images.find(({ names }) => names.some((one) => equal(one, name)))?.descriptor;
}

/**
 * What to ask the place for. Without a name: its only image, or the only one that has a tag.
 * @throws RegistryError MANIFEST_UNKNOWN, listing what there is
 */
export function pick(
  place: string,
  images: readonly Listed[],
  image: ImageName | undefined,
): Reference {
  if (image === undefined) return sole(place, images);
  if (typeof image === 'string' && atDigest(image)) {
    const listed = images.find(({ descriptor }) => descriptor.digest === image);
    return { repository: listed?.names[0]?.repository ?? UNNAMED, at: image };
  }
  const matching = typeof image === 'string' ? tagged(images, image) : called(images, image);
  const [first] = matching;
  if (first === undefined) throw noImage(place, images, `no ${formatImageName(image)}`);
  const digests = new Set(matching.map((name) => find(images, name.repository, name.at)?.digest));
  if (digests.size === 1) return first;
  throw noImage(place, images, `several images ${formatImageName(image)}`);
}

function sole(place: string, images: readonly Listed[]): Reference {
  const named = images.filter(({ names }) => names.some(({ at }) => !atDigest(at)));
  const [image, another] = named.length === 1 ? named : images;
  if (image === undefined) throw new RegistryError('MANIFEST_UNKNOWN', `${place} holds no image`);
  if (another !== undefined) throw noImage(place, images, 'several images; say which is meant');
  const name = image.names.find(({ at }) => !atDigest(at));
  const repository = image.names[0]?.repository ?? UNNAMED;
  return name ?? { repository, at: image.descriptor.digest };
}

/** A word alone is a tag; where there is no such tag it may be a name. */
function tagged(images: readonly Listed[], tag: Tag): readonly Reference[] {
  const names = images.flatMap((image) => image.names).filter(({ at }) => at === tag);
  const whole = nameOf(`${tag}:latest`);
  return names.length > 0 || whole === undefined ? names : called(images, whole);
}

function called(images: readonly Listed[], name: Reference): readonly Reference[] {
  const digest = images.some(({ descriptor }) => descriptor.digest === name.at);
  if (digest) return [name];
  return images.flatMap(({ names }) => names.filter((one) => equal(one, name)));
}

function equal(a: Reference, b: Reference): boolean {
  return same(a.repository, b.repository) && a.at === b.at;
}

function noImage(place: string, images: readonly Listed[], what: string): RegistryError {
  const listed = images.map(({ names, descriptor }) => {
    const [name] = names;
    if (name === undefined) return descriptor.digest;
    return same(name.repository, UNNAMED) ? name.at : formatReference(name.repository, name.at);
  });
  return new RegistryError(
    'MANIFEST_UNKNOWN',
    `${place} holds ${what}; there ${listed.length === 1 ? 'is' : 'are'}: ${listed.join(', ') || 'none'}`,
    { detail: { images: listed } },
  );
}
