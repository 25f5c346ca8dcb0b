import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import type { PemFiles } from '../config/pem.ts';
import type { HostedRepositories } from '../hosted/repositories.ts';
import type { Serving } from '../http/app.ts';
import type { Tls } from '../http/server.ts';
import type { Mirror } from '../mirror/mirror.ts';
import { createRouter } from '../mirror/route.ts';
import { tlsOf } from './derived.ts';
import type { UpstreamPool, Upstreams } from './upstreams.ts';
import type { World, Worlds } from './worlds.ts';

export interface SuccessionOptions {
  readonly worlds: Worlds;
  readonly pool: UpstreamPool;
  readonly source: Mirror;
  readonly hosted: HostedRepositories;
  readonly catalog: Serving['catalog'];
  /** Settles when all requests of this moment have been answered. */
  readonly passed: () => Promise<void>;
  /** A configuration with this upstream comes into effect. */
  readonly onUpstream: (host: string) => void;
  /** What clients are shown from now on. */
  readonly onTls: (tls: Tls | undefined) => void;
}

/** One configuration after the other, each in effect as a whole or not at all. */
export class Succession {
  readonly #options: SuccessionOptions;
  #tls: Tls | undefined;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /** What clients are shown; `undefined`: plain HTTP. */
  get tls(): Tls | undefined {
    return this.#tls;
  }

  /**
   * Requests begin by this configuration from now on.
   * @param secure has clients shown another certificate
   * @throws what making connections, or `secure`, throws; then all is as it was
   */
  begin(config: Config, pem: PemFiles, secure?: (tls: Tls) => void): void {
    const { worlds, pool, source, passed, onUpstream, onTls } = this.#options;
    const prepared = pool.prepare(config, pem);
    const renewed = tlsOf(config, pem);
    if (renewed !== undefined && !isDeepStrictEqual(renewed, this.#tls)) secure?.(renewed);
    this.#tls = renewed;
    onTls(renewed);
    // Nothing fails from here on: either all of it is in effect or, above, nothing.
    for (const host of config.upstreams.keys()) onUpstream(host);
    prepared.enter(async () => void (await Promise.all([passed(), source.passed()])));
    worlds.begin(this.#worldOf(config, prepared.upstreams));
  }

  #worldOf(config: Config, upstreams: Upstreams): World {
    const { source, hosted, catalog } = this.#options;
    return {
      config,
      upstreams,
      serving: {
        source,
        ...(config.hosted.length > 0 && { hosted }),
        router: createRouter({ ...config, upstreams: [...config.upstreams.values()] }),
        catalog,
        whenRateLimited: config.whenRateLimited,
      },
    };
  }
}
