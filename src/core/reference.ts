import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { isHosted } from './hosted.ts';

declare const brand: unique symbol;

/** Matches the distribution specification's grammar; never holds a `:`, which a digest always does. */
export type Tag = string & { readonly [brand]: 'Tag' };

/** `host` is a registry's name as users write it (`docker.io`, `localhost:5000`), not an address. */
export interface Repository {
  readonly host: string;
  readonly path: string;
}

export interface Reference {
  readonly repository: Repository;
  readonly at: Tag | Digest;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const LONGEST_NAME = 255;

const quote = (text: string): string => JSON.stringify(text.slice(0, 160));

/**
 * A repository's path within its registry (distribution specification, "Pulling manifests": `<name>`).
 * @throws RegistryError NAME_INVALID
 */
export function parsePath(text: string): string {
  if (isPath(text)) return text;
  throw new RegistryError(
    'NAME_INVALID',
    `not a repository name: ${quote(text)}; lower-case letters, digits, single separators ._-, parts divided by /, ${LONGEST_NAME} characters at most`,
  );
}

export function isPath(text: string): boolean {
  return text.length <= LONGEST_NAME && PATH.test(text);
}

/** @throws RegistryError TAG_INVALID */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new RegistryError(
    'TAG_INVALID',
    `not a tag: ${quote(text)}; letters, digits, _ . -, not starting with . or -, 128 characters at most`,
  );
}

export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/** Whether the text could name a registry: a DNS name, an IP address, or `localhost`, with or without a port. */
export function isHost(text: string): boolean {
  return text.length <= LONGEST_NAME && HOST.test(text);
}

/** Tells the two things a manifest is asked for by apart. */
export function atDigest(at: Tag | Digest): at is Digest {
  return at.includes(':');
}

export function same(a: Repository, b: Repository): boolean {
  return a.host === b.host && a.path === b.path;
}

/** As users write it: what lives here has no registry in front. */
export function formatRepository(repository: Repository): string {
  const { host, path } = repository;
  return isHosted(repository) ? path : `${host}/${path}`;
}

export function formatReference(repository: Repository, at: Tag | Digest): string {
  return `${formatRepository(repository)}${atDigest(at) ? '@' : ':'}${at}`;
}
