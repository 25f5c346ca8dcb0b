import { isDigest, type Digest } from './digest.ts';
import { formatRepository, type Repository, type Tag } from './reference.ts';

/**
 * Says of images which ones are meant: `docker.io/library/nginx:1.*`, `ghcr.io/team/**`,
 * `quay.io/x/y@sha256:…`. `*` stands for any characters of one part, `**` for any parts. Without a tag
 * or digest everything in the repository is meant.
 */
export interface ImagePattern {
  readonly text: string;
  /** What of a repository it is about. */
  readonly covers: 'tags' | 'digest' | 'everything';
  /** Set when it names one manifest. */
  readonly digest: Digest | undefined;
  inRepository(repository: Repository): boolean;
  byTag(repository: Repository, tag: Tag): boolean;
}

const NAME = /^[a-zA-Z0-9._*\-[\]:]+(?:\/[a-z0-9._*-]+)*$/;
const TAG = /^[a-zA-Z0-9_.*-]{1,128}$/;
const LONGEST = 512;

/** `undefined` for text that is no pattern. The name starts with a registry, or with `*` or `**`. */
export function parseImagePattern(text: string): ImagePattern | undefined {
  if (text.length > LONGEST) return undefined;
  const [named = '', digest, ...rest] = text.split('@');
  if (rest.length > 0 || (digest !== undefined && !isDigest(digest))) return undefined;
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/') && named.includes('/');
  const [name, tag] = tagged ? [named.slice(0, colon), named.slice(colon + 1)] : [named, undefined];
  if (!NAME.test(name) || (tag !== undefined && !TAG.test(tag))) return undefined;
  if (!name.includes('/') && !name.includes('*') && !isRegistry(name)) return undefined;
  if (digest !== undefined && name.includes('*')) return undefined;
  const names = expression(name);
  const tags = tag === undefined ? undefined : expression(tag);
  const inRepository = (repository: Repository): boolean =>
    names.test(formatRepository(repository));
  return {
    text,
    covers: digest === undefined ? (tag === undefined ? 'everything' : 'tags') : 'digest',
    digest,
    inRepository,
    byTag: (repository, tag) =>
      digest === undefined && inRepository(repository) && tags?.test(tag) !== false,
  };
}

function isRegistry(name: string): boolean {
  return (
    /:\d{1,5}$/.test(name) || (name.includes('.') && !name.includes(':')) || name === 'localhost'
  );
}

/** A registry alone means everything in it. */
function expression(pattern: string): RegExp {
  const parts = pattern.split('/').map((part) => {
    if (part === '**') return '.*';
    return part
      .split('*')
      .map((text) => text.replace(/[.[\]-]/g, String.raw`\$&`))
      .join('[^/]*');
  });
  const whole =
    isRegistry(pattern) && parts.length === 1 ? `${parts.join('/')}(?:/.*)?` : parts.join('/');
  return new RegExp(`^${whole}$`);
}
