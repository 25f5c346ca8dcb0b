import { isDigest, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import {
  atDigest,
  formatReference,
  isHost,
  isTag,
  parsePath,
  parseTag,
  type Reference,
  type Tag,
} from '../core/reference.ts';
import { normalHost } from '../upstream/docker-host.ts';

/** Which image of a place that can hold several: by tag alone, by digest, or by its whole name. */
export type ImageName = Tag | Digest | Reference;

/** Where an image lies, as users write it. Paths are as they were written. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference }
  | { readonly kind: 'oci'; readonly folder: string; readonly image?: ImageName }
  | { readonly kind: 'oci-archive'; readonly file: string; readonly image?: ImageName }
  | { readonly kind: 'docker-archive'; readonly file: string; readonly image?: ImageName };

const HUB = 'docker.io';
const HIGHEST_PORT = 65_535;
const REGISTERED = 'alpine:3.20, ghcr.io/owner/app:1.2, localhost:5000/app@sha256:…';
const ANYWHERE = `${REGISTERED}, oci:./folder:1.2, docker-archive:./app.tar`;
const PLACE = /^(oci|oci-archive|docker-archive):/;
const ARCHIVE = /\.(?:tar|tgz|tzst|gz|zst|zstd)$/;
const SCHEME = /^([a-z][a-z0-9+-]*):\/\//i;

/**
 * Reads a location: `oci:FOLDER`, `oci-archive:FILE` or `docker-archive:FILE`, each with `:NAME` or
 * `@DIGEST` behind it where one image of several is meant, and otherwise a reference. A path ends at
 * the first colon that an image's name follows, one with slashes and its tag or digest; `::` ends a
 * path that holds such a colon itself.
 * @throws RegistryError NAME_INVALID, saying what is wrong and giving an example
 */
export function parseLocation(text: string): Location {
  const kind = PLACE.exec(text)?.[1];
  if (kind === undefined) return { kind: 'registry', reference: referenceOf(text, ANYWHERE) };
  const rest = text.slice(kind.length + 1);
  if (rest.startsWith('//')) {
    throw invalid(text, `for a registry write docker:${rest}, for a path no more than one slash`);
  }
  const { path, image } = splitPlace(rest);
  if (path === '' || path.startsWith(':'))
    throw invalid(text, `the path is missing, as in ${kind}:./app:1.2`);
  const named = image === undefined ? {} : { image };
  switch (kind) {
    case 'oci':
      return { kind, folder: path, ...named };
    case 'oci-archive':
    case 'docker-archive':
      return { kind, file: path, ...named };
    default:
      throw invalid(text, 'there is no such kind of place');
  }
}

/**
 * Reads a reference as users write it: `alpine` is `docker.io/library/alpine:latest`. What stands
 * before the first slash is a registry if it has a dot, a colon or an upper-case letter, or is
 * `localhost`. `docker://` in front is passed over; of a tag and a digest the digest decides.
 * @throws RegistryError NAME_INVALID, saying what is wrong and giving examples
 */
export function parseReference(text: string): Reference {
  return referenceOf(text, REGISTERED);
}

/**
 * The same where somebody may take it for a location.
 * @throws RegistryError NAME_INVALID, also for a folder or an archive
 */
export function parseRegistered(text: string): Reference {
  if (!PLACE.test(text)) return parseReference(text);
  throw invalid(text, 'that lies on this disk, and an image in a registry is meant', REGISTERED);
}

function referenceOf(text: string, examples: string): Reference {
  const name = text.replace(/^docker:\/\//, '');
  const scheme = SCHEME.exec(name)?.[1];
  if (scheme !== undefined) throw invalid(text, `write it without ${scheme}://`, examples);
  if (name === '') throw invalid(text, 'the name is missing', examples);
  try {
    return readReference(name);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw invalid(text, cause.message, examples, cause);
  }
}

/** What `parseLocation` reads as the same location. */
export function formatLocation(location: Location): string {
  switch (location.kind) {
    case 'registry':
      return formatReference(location.reference.repository, location.reference.at);
    case 'oci':
      return `oci:${formatPlace(location.folder, location.image)}`;
    case 'oci-archive':
    case 'docker-archive':
      return `${location.kind}:${formatPlace(location.file, location.image)}`;
  }
}

export function formatImageName(image: ImageName): string {
  return typeof image === 'string' ? image : formatReference(image.repository, image.at);
}

function readReference(name: string): Reference {
  const at = name.indexOf('@');
  const digest = at === -1 ? undefined : name.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw fault(`what follows @ must be sha256:<64 hex> or sha512:<128 hex>, lower case`);
  }
  const tagged = at === -1 ? name : name.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/') && !tagged.endsWith(']');
  const tag = hasTag ? parseTag(tagged.slice(colon + 1)) : undefined;
  const { host, path } = splitHost(hasTag ? tagged.slice(0, colon) : tagged);
  const whole = host === HUB && !path.includes('/') ? `library/${path}` : path;
  parsePath(path);
  return {
    repository: { host, path: parsePath(whole) },
    at: digest ?? tag ?? parseTag('latest'),
  };
}

function splitHost(name: string): { readonly host: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? name : name.slice(0, slash);
  if (slash === -1) {
    if (first !== 'localhost' && !first.startsWith('[')) return { host: HUB, path: name };
    throw fault(`${first} is a registry; its repository is missing`);
  }
  if (!/[.:A-Z[]/.test(first) && first !== 'localhost') return { host: HUB, path: name };
  if (!isHost(first)) throw fault(`${JSON.stringify(first)} is not a registry's name`);
  const port = /:(\d+)$/.exec(first.replace(/^\[.*\]/, ''))?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > HIGHEST_PORT)) {
    throw fault(`there is no port ${port}`);
  }
  const path = name.slice(slash + 1);
  if (path === '') throw fault(`${first} is a registry; its repository is missing`);
  return { host: normalHost(first), path };
}

interface Place {
  readonly path: string;
  readonly image?: ImageName;
}

function splitPlace(text: string): Place {
  const end = doubleColon(text);
  if (end !== -1) return withName(text.slice(0, end), text.slice(end + 2));
  const at = text.lastIndexOf('@');
  const digest = text.slice(at + 1);
  if (at === -1 || !isDigest(digest)) return atColon(text, 'tag');
  const { path, image } = atColon(text.slice(0, at), 'digest');
  return { path, image: atThe(digest, image) };
}

/** `stated` is what says that a name with slashes is one, and not the rest of a path. */
function atColon(text: string, stated: 'tag' | 'digest'): Place {
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
    const name = text.slice(colon + 1);
    const tagged = name.lastIndexOf(':') > name.lastIndexOf('/') || !name.includes('/');
    const image = tagged || stated === 'digest' ? imageNameOf(name) : undefined;
    if (image !== undefined) return { path: text.slice(0, colon), image };
  }
  return { path: text };
}

/** The last one that is no part of an IPv6 address. */
function doubleColon(text: string): number {
  for (let end = text.lastIndexOf('::'); end !== -1; end = text.lastIndexOf('::', end - 1)) {
    const inside =
      /\[[0-9a-f:]*$/i.test(text.slice(0, end)) && /^[0-9a-f:]*\]/i.test(text.slice(end));
    if (!inside) return end;
    if (end === 0) return -1;
  }
  return -1;
}

function withName(path: string, name: string): Place {
  if (name === '') return { path };
  const digest = name.startsWith('@') ? name.slice(1) : name;
  if (isDigest(digest) || isTag(name))
    return { path, image: isDigest(digest) ? digest : parseTag(name) };
  return { path, image: parseReference(name) };
}

function atThe(digest: Digest, image: ImageName | undefined): ImageName {
  return image === undefined || typeof image === 'string'
    ? digest
    : { repository: image.repository, at: digest };
}

function imageNameOf(text: string): ImageName | undefined {
  if (ARCHIVE.test(text)) return undefined;
  if (isTag(text)) return text;
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

function formatPlace(path: string, image: ImageName | undefined): string {
  const name = image === undefined ? '' : formatImageName(image);
  if (/[:@]/.test(path) || ARCHIVE.test(name)) return `${path}::${name}`;
  if (image === undefined) return path;
  return `${path}${typeof image === 'string' && atDigest(image) ? '@' : ':'}${name}`;
}

function fault(what: string): RegistryError {
  return new RegistryError('NAME_INVALID', what);
}

function invalid(text: string, what: string, examples = ANYWHERE, cause?: unknown): RegistryError {
  return new RegistryError(
    'NAME_INVALID',
    `not an image reference: ${JSON.stringify(text.slice(0, 160))}: ${what}; examples: ${examples}`,
    { cause },
  );
}
