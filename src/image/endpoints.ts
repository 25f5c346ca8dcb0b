import { lookup } from 'node:dns/promises';
import type { Digest } from '../core/digest.ts';
import { systemCode } from '../core/errors.ts';
import type { Platform } from '../core/platform.ts';
import type { Reference, Tag } from '../core/reference.ts';
import { unbracketed } from '../upstream/private-address.ts';
import type { Hop } from '../upstream/trace.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { choose } from './choose.ts';

/** What is fetched: the manifests first, then the config, then the layers, the base as `layer-0`. */
export type Part = 'manifest' | 'config' | `layer-${number}`;

/** Something that a pull has to reach. */
export interface Endpoint {
  /** `auth` for the token server, once. */
  readonly role: Part | 'auth';
  /** Whether the registry sent us there. */
  readonly by: 'name' | 'redirect';
  /** Without a query, which may be signed. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** IPv4 and IPv6, as the resolver orders them; none for a name that cannot be resolved from here. */
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
}

/**
 * Every endpoint and address that a pull will touch, as it is found; no blob is fetched. Each part
 * is asked for like a pull would, so that redirects show.
 * @throws RegistryError as a pull would
 */
export async function* endpoints(
  registry: Upstream,
  { repository, at }: Reference,
  platform?: Platform,
): AsyncGenerator<Endpoint> {
  const names = new Names();
  const told = new Set<string>();
  async function* of(part: Part, what: 'manifest' | 'blob', which: Tag | Digest) {
    for (const hop of await registry.trace(repository, what, which)) {
      const endpoint = await names.endpoint(part, hop);
      const key = `${endpoint.role} ${endpoint.url}`;
      if (!told.has(key)) yield endpoint;
      told.add(key);
    }
  }
  yield* of('manifest', 'manifest', at);
  const { manifest, image } = await choose(registry, repository, at, platform);
  if (manifest.descriptor.digest !== at) {
    yield* of('manifest', 'manifest', manifest.descriptor.digest);
  }
  yield* of('config', 'blob', image.config.digest);
  for (const [index, { digest }] of image.layers.entries()) {
    yield* of(`layer-${index}`, 'blob', digest);
  }
}

/** Resolves each name once. */
class Names {
  readonly #known = new Map<string, Promise<Endpoint['addresses']>>();

  async endpoint(part: Part, { role, url }: Hop): Promise<Endpoint> {
    const { hostname, port, protocol } = new URL(url);
    return {
      role: role === 'auth' ? 'auth' : part,
      by: role === 'redirect' ? 'redirect' : 'name',
      url,
      host: unbracketed(hostname),
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      addresses: await this.#addresses(unbracketed(hostname)),
    };
  }

  #addresses(name: string): Promise<Endpoint['addresses']> {
    const known = this.#known.get(name) ?? resolve(name);
    this.#known.set(name, known);
    return known;
  }
}

async function resolve(name: string): Promise<Endpoint['addresses']> {
  try {
    const found = await lookup(name, { all: true });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  } catch (error) {
    // Behind a proxy that is not ours to know.
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
