import { RegistryError } from '../../../core/errors.ts';
import { formatReference, isHost, type Reference } from '../../../core/reference.ts';
import { normalHost } from '../../../upstream/docker-host.ts';
import { parseInRegistry } from '../hosted-reference.ts';

/** A registry, or an image in one, as crpy reads it. */
export interface CrpyTarget {
  /** As it shows and stores it: Hub is `index.docker.io`. */
  readonly registry: string;
  /** The name by which it is asked for and logged in to. */
  readonly host: string;
  /** Left out where only a registry is named. */
  readonly image?: Reference;
  /** Said by a scheme in front. */
  readonly plainHttp?: boolean;
  /** As messages name it. */
  readonly shown: string;
}

const HUB = 'index.docker.io';

/**
 * Reads `[SCHEME://][REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. Without a scheme one word, and two of which
 * the first looks like no registry, are images of Hub.
 * @param bare what a word with a dot or a port and no slash is
 * @throws RegistryError NAME_INVALID, TAG_INVALID
 */
export function parseCrpy(url: string, bare: 'registry' | 'image' = 'image'): CrpyTarget {
  const [, scheme, rest = ''] = /^(?:(\w+):\/\/)?(.*)$/s.exec(url) ?? [];
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    throw new RegistryError('NAME_INVALID', `${url}: the scheme is neither http nor https`);
  }
  const text = rest.replace(/\/+$/, '');
  const slash = text.indexOf('/');
  const first = slash === -1 ? text : text.slice(0, slash);
  const onHub = scheme === undefined && isOnHub(text, slash, bare);
  const registry = onHub ? HUB : first;
  if (!isHost(registry)) {
    throw new RegistryError(
      'NAME_INVALID',
      `${JSON.stringify(url.slice(0, 160))} names no registry`,
    );
  }
  const inside = onHub ? text : slash === -1 ? '' : text.slice(slash + 1);
  const host = normalHost(registry);
  const plain = scheme === undefined ? {} : { plainHttp: scheme === 'http' };
  if (inside === '') return { registry, host, shown: registry, ...plain };
  const { path, at } = parseInRegistry(inside);
  const whole = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const image = { repository: { host, path: whole }, at };
  const shown = formatReference({ host: registry, path: whole }, at);
  return { registry, host, image, shown, ...plain };
}

function isOnHub(text: string, slash: number, bare: 'registry' | 'image'): boolean {
  const first = slash === -1 ? text : text.slice(0, slash);
  if (first === 'localhost') return false;
  if (slash === -1) {
    const [name = ''] = text.split(':');
    if (bare === 'registry' && (text.includes(':') || text.includes('.'))) return false;
    return text.includes('@') || !name.includes('.');
  }
  return !text.slice(slash + 1).includes('/') && !/[.:]/.test(first);
}
