import { RegistryError } from '../core/errors.ts';
import { HOSTED } from '../core/hosted.ts';
import type { NamePattern } from '../core/name-pattern.ts';
import { isHost, isPath, parsePath, type Repository } from '../core/reference.ts';

/** What a request says about the registry that it means, apart from the repository's name. */
export interface Hints {
  /** Every `ns` of the query, as it came (distribution specification, "Registry Proxying"). */
  readonly ns: readonly string[];
  /** The `X-Registry` header: `ns` for whoever can set headers only. */
  readonly registry?: string | undefined;
  /** The path segment in front of `/v2`, where containerd and docker put a mirror's path. */
  readonly prefix?: string | undefined;
}

export interface Asked extends Hints {
  /** The name in the path, percent-decoded and otherwise as it came. */
  readonly name: string;
}

/** Where requests go. Pure: the only hosts that come out are configured ones. */
export interface Router {
  /**
   * @throws RegistryError NAME_INVALID, or NAME_UNKNOWN naming the configuration's key when the
   * registry is none of ours
   */
  repository(asked: Asked): Repository;
  /**
   * The upstream that the hints name; `undefined` when they name none.
   * @throws RegistryError as `repository` does
   */
  upstream(hints: Hints): string | undefined;
}

export interface Upstream {
  /** The configured name: the registry as users write it. */
  readonly host: string;
  readonly aliases: readonly string[];
}

export interface RouterOptions {
  readonly upstreams: readonly Upstream[];
  /** For names that say no registry; `undefined` leaves them unserved. */
  readonly defaultUpstream: string | undefined;
  /** Repositories that live here: they win over every name but one that a request says with `ns`. */
  readonly hosted?: readonly NamePattern[];
}

const HUB = 'docker.io';
const HUB_ALIASES = ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];

export function createRouter({ upstreams, defaultUpstream, hosted = [] }: RouterOptions): Router {
  const hosts = hostsByName(upstreams);

  const upstream = (hints: Hints): string | undefined => {
    if (isSilent(hints)) return undefined;
    const named = new Set(namesIn(hints).map((name) => configured(hosts, name)));
    if (named.size <= 1) return named.values().next().value;
    throw new RegistryError(
      'NAME_INVALID',
      `the request names more than one registry: ${[...named].join(', ')}`,
    );
  };

  const repository = (asked: Asked): Repository => {
    const slash = asked.name.indexOf('/');
    const first = slash === -1 ? asked.name : asked.name.slice(0, slash);
    const rest = slash === -1 ? undefined : asked.name.slice(slash + 1);
    const own = hosts.get(first.toLowerCase());

    const hinted = upstream(asked);
    if (hinted !== undefined) {
      // BuildKit sends the registry both ways at once.
      const twice = rest !== undefined && own === hinted;
      return { host: hinted, path: pathAt(hinted, twice ? rest : asked.name) };
    }
    if (isPath(asked.name) && hosted.some((pattern) => pattern.matches(asked.name))) {
      return { host: HOSTED, path: asked.name };
    }
    if (own !== undefined) {
      if (rest !== undefined) return { host: own, path: pathAt(own, rest) };
      throw new RegistryError('NAME_INVALID', `${own} is a registry; its repository is missing`);
    }
    if (rest !== undefined && looksLikeHost(first)) throw unknown(first);
    if (defaultUpstream !== undefined) {
      return { host: defaultUpstream, path: pathAt(defaultUpstream, asked.name) };
    }
    parsePath(asked.name);
    throw new RegistryError(
      'NAME_UNKNOWN',
      'the name says no registry and there is no default: say it with ?ns= or in front of the name, or set defaultUpstream',
    );
  };

  return { repository, upstream };
}

function hostsByName(upstreams: readonly Upstream[]): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>();
  const add = (name: string, host: string): void => {
    const key = name.toLowerCase();
    if (!hosts.has(key)) hosts.set(key, host);
  };
  // Names before aliases, and both before what everybody calls the Hub: the configuration decides.
  for (const { host } of upstreams) add(host, host);
  for (const { host, aliases } of upstreams) for (const alias of aliases) add(alias, host);
  if (hosts.get(HUB) === HUB) for (const alias of HUB_ALIASES) add(alias, HUB);
  return hosts;
}

/** What most requests say of the registry: nothing. */
function isSilent({ ns, registry, prefix }: Hints): boolean {
  return ns.length === 0 && registry === undefined && prefix === undefined;
}

function namesIn({ ns, registry, prefix }: Hints): readonly string[] {
  if (ns.length > 1) {
    throw new RegistryError(
      'NAME_INVALID',
      `ns is given ${ns.length} times; once is all it can be`,
    );
  }
  const names = [...ns, registry, prefix].filter((name) => name !== undefined);
  for (const name of names) if (!isHost(name)) throw malformed(name);
  return names;
}

function configured(hosts: ReadonlyMap<string, string>, name: string): string {
  const host = hosts.get(name.toLowerCase());
  if (host !== undefined) return host;
  throw unknown(name);
}

function unknown(name: string): RegistryError {
  if (!isHost(name)) return malformed(name);
  return new RegistryError(
    'NAME_UNKNOWN',
    `${name} is not mirrored here: the configuration has no key upstreams.${name}`,
  );
}

function malformed(name: string): RegistryError {
  return new RegistryError(
    'NAME_INVALID',
    name === ''
      ? 'the registry is named, but empty'
      : `not the name of a registry: ${JSON.stringify(name.slice(0, 160))}`,
  );
}

/** What docker takes for a registry rather than for the first part of a name. */
function looksLikeHost(segment: string): boolean {
  return /[.:]/.test(segment) || segment === 'localhost';
}

function pathAt(host: string, name: string): string {
  return parsePath(host === HUB && !name.includes('/') ? `library/${name}` : name);
}
