import { LRUCache } from 'lru-cache';
import { RegistryError } from '../core/errors.ts';
import type { Router } from '../mirror/route.ts';
import type { Exchange } from './exchange.ts';
import { isReading } from './methods.ts';
import type { Target } from './name.ts';

/** Probes that are remembered at one time, for how long (ms), and how much of each. */
const MOST_PROBES = 1000;
const REMEMBERED_FOR = 10 * 60 * 1000;
const MOST_SIGHTINGS = 16;

/** Characters that are kept of what a client says. */
const LONGEST = 256;

const NAME = /(?:^|\/)layover-doctor\/([0-9a-f]{32})$/;

/** A request for a probe, as it arrived. */
export interface Sighting {
  /** ISO 8601. */
  readonly at: string;
  /** The registry that it was taken to mean; left out where it named none that is mirrored here. */
  readonly upstream?: string;
  /** What it said in the query about the registry. */
  readonly ns?: string;
  /** Proxies that it came through, as they said. */
  readonly via?: string;
  readonly client?: string;
  readonly userAgent?: string;
}

/**
 * Pulls that are made to see whether they arrive: of repositories `layover-doctor/<32 hex digits>`, which
 * exist nowhere. They are answered 404 without asking anybody, and remembered for whoever made them.
 */
export class Probes {
  readonly #seen = new LRUCache<string, Sighting[]>({ max: MOST_PROBES, ttl: REMEMBERED_FOR });

  /** What has arrived for a probe, oldest first. */
  sightings(id: string): readonly Sighting[] {
    return this.#seen.get(id) ?? [];
  }

  /**
   * Takes note of a request if it is for a probe, and then answers it by throwing.
   * @throws RegistryError MANIFEST_UNKNOWN, or what the router throws
   */
  refuse(exchange: Exchange, { endpoint, query, prefix }: Target, router: Router): void {
    if (!('name' in endpoint) || !isReading(exchange.method)) return;
    const id = NAME.exec(endpoint.name)?.[1];
    if (id === undefined) return;
    const ns = query.getAll('ns');
    exchange.ns = ns[0];
    let upstream: string | undefined;
    try {
      const hints = { ns, registry: exchange.header('x-registry'), prefix };
      exchange.repository = router.repository({ ...hints, name: endpoint.name });
      upstream = exchange.repository.host;
    } finally {
      this.#saw(id, exchange, upstream);
    }
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      'a probe: it has arrived, and there is no more to it',
    );
  }

  #saw(id: string, exchange: Exchange, upstream: string | undefined): void {
    const seen = this.#seen.get(id) ?? [];
    if (seen.length >= MOST_SIGHTINGS) return;
    const [ns, via, userAgent] = [
      exchange.ns,
      exchange.header('via'),
      exchange.header('user-agent'),
    ].map((text) => text?.slice(0, LONGEST));
    const client = exchange.incoming.socket.remoteAddress;
    seen.push({
      at: new Date().toISOString(),
      ...(upstream !== undefined && { upstream }),
      ...(ns !== undefined && { ns }),
      ...(via !== undefined && { via }),
      ...(client !== undefined && { client }),
      ...(userAgent !== undefined && { userAgent }),
    });
    this.#seen.set(id, seen);
  }
}
