import type { Digest } from '../core/digest.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegistryError } from '../core/errors.ts';
import type { Repository, Tag } from '../core/reference.ts';
import type { Sink } from '../core/sink.ts';
import type { Listing, Source } from '../core/source.ts';
import { Deadline, systemClock, type Clock } from './clock.ts';
import type { CredentialSource } from './credentials.ts';
import { dispatcher, type ProxyOptions, type TlsOptions } from './dispatcher.ts';
import { Endpoint, type Effort } from './endpoint.ts';
import type { UpstreamEvent } from './event.ts';
import { Failover } from './failover.ts';
import { UpstreamError } from './failure.ts';
import { configurationHints, type Hints } from './hints.ts';
import { lanes } from './lanes.ts';
import { addressRule, unbracketed } from './private-address.ts';
import { readingWhenAsked } from './reading-when-asked.ts';
import type { Eraser } from './removal.ts';
import { NO_SCOPE } from './scope.ts';
import { TagLists } from './tags.ts';
import type { Hop, Visit } from './trace.ts';
import { writingWhenAsked } from './writing-when-asked.ts';

export interface UpstreamOptions {
  /** The configured name (`docker.io`): what messages and events call it, and what credentials are asked by. */
  readonly host: string;
  /** The API's root: scheme, host, port, path prefix; `/v2/…` comes after it. */
  readonly url: string;
  /** Further roots, tried first, in this order. */
  readonly mirrors: readonly string[];
  /** Asked with `host` for `url`, and with host and port for a mirror: none is shown another's. */
  readonly credentials?: CredentialSource | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Behind a proxy names are resolved by the proxy: of private addresses only literals are then noticed. */
  readonly proxy?: ProxyOptions | undefined;
  /** Sent to `url` alone, neither to mirrors nor to where it redirects. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Names, `name:port`, addresses and CIDR ranges that redirects and token realms may lead to although they are private. */
  readonly allowPrivate: readonly string[];
  /**
   * Blob bodies at a time. Parts of blobs have a lane of their own, half as wide, and so have small
   * requests: neither slow readers of parts nor downloads hold up anything but their like.
   */
  readonly maxConnections: number;
  /** After the first attempt. */
  readonly retries: number;
  /** Milliseconds: to connect, until the headers, between two pieces of a body, sent or (of a part) taken. */
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
  /** The registry that the one at `url` is asked for as a mirror of it: `?ns=` of every request (containerd's convention). */
  readonly ns?: string | undefined;
  /** The name of this mirror in `Via`, by which it knows its own requests when they come back. */
  readonly via?: string | undefined;
  /** What messages tell people to change: keys of the configuration if left out. */
  readonly hints?: Hints | undefined;
  /** Bytes of a chunk when pushing; a blob goes in one piece if left out. */
  readonly chunk?: number | undefined;
  readonly observe?: ((event: UpstreamEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** What a registry knows of itself, rather than of one repository. */
export interface Directory {
  /** Asks for the API's root with the credentials. @throws RegistryError DENIED when they are not taken */
  check(): Promise<void>;
  /**
   * Whether the API's root is answered as registries do, at once. Nothing secret is shown, and it is asked
   * one time: the connection is then there for what comes next.
   */
  greets(): Promise<boolean>;
  /** Paths of all repositories, sorted. @throws RegistryError UNSUPPORTED where they are not listed */
  repositories(): Promise<Listing<string>>;
}

/** Who and what is asked on the way to content. */
export interface Tracer {
  /** Asks by HEAD, and tells every URL that was dialled, in order. */
  trace(
    repository: Repository,
    what: 'manifest' | 'blob',
    at: Tag | Digest,
  ): Promise<readonly Hop[]>;
}

/**
 * Another registry. What changes something goes to `url` alone, never to mirrors. Disposing it ends
 * what is still under way.
 */
export interface Upstream extends Source, Eraser, Directory, Tracer, AsyncDisposable {
  /** Where one pushes; apart, since a source and a sink call different things `blob`. */
  readonly sink: Sink;
  /**
   * To be told of a blob whose bytes turned out wrong (this floor does not hash blobs): the mirror
   * it came from is passed over for it for a minute, so that the next attempt gets other bytes.
   */
  distrust(digest: Digest): void;
}

/** Milliseconds for an answer or an error: clients give up at 30 s. */
const BUDGET = 25_000;

/** Milliseconds to be greeted in: nothing else is done meanwhile. */
const GREETING = 1_000;

/** Milliseconds for all pages of a list: those of some repositories are many thousands. */
const LISTING = 10 * 60_000;

/** @throws TypeError for a `url` or a mirror that is no URL */
export function upstream(options: UpstreamOptions): Upstream {
  const { host, clock = systemClock, observe = () => {} } = options;
  const { hints = configurationHints(host) } = options;
  const { failover, fresh, close } = connect({ ...options, hints }, clock, observe);
  const { enter } = lanes(host, options.maxConnections, hints, observe);
  const brief = async <T>(task: (endpoint: Endpoint, effort: Effort) => Promise<T>): Promise<T> => {
    const deadline = new Deadline(clock, BUDGET);
    using _place = await enter('small', deadline);
    return await failover.run(deadline, task);
  };
  const tagLists = new TagLists();
  const pageBudget = BUDGET / (options.mirrors.length + 1);
  const page = async <T>(effort: Effort, request: (effort: Effort) => Promise<T>): Promise<T> => {
    const deadline = effort.deadline.within(pageBudget);
    if (deadline.remaining === 0) {
      throw new RegistryError('UPSTREAM_TIMEOUT', `${host}: the list has too many slow pages`);
    }
    using _place = await enter('small', deadline);
    return await request({ ...effort, deadline });
  };

  return {
    ...readingWhenAsked({
      failover,
      brief,
      clock,
      budget: BUDGET,
      idle: options.timeouts.idle,
      enter,
    }),
    ...writingWhenAsked({
      host,
      ...failover.writable,
      clock,
      budget: BUDGET,
      chunk: options.chunk,
      enter,
    }),
    async check() {
      const ask = { method: 'GET', kind: 'manifest', repository: '', path: '/v2/' } as const;
      await brief((endpoint, effort) =>
        endpoint.run({ ...ask, scope: NO_SCOPE }, effort, async (answer) =>
          answer[Symbol.dispose](),
        ),
      );
    },
    async greets() {
      try {
        const status = await failover.writable.endpoint.greet(new Deadline(clock, GREETING));
        // A connection is handed out again one turn after its answer has ended.
        await nextTurn();
        return status === 200 || status === 401;
      } catch (error) {
        if (error instanceof UpstreamError) return false;
        throw error;
      }
    },
    async repositories() {
      const { listRepositories } = await import('./catalog.ts');
      const list = (endpoint: Endpoint, effort: Effort) =>
        listRepositories(endpoint, (request) => page(effort, request));
      return { items: await failover.run(new Deadline(clock, LISTING), list) };
    },
    async trace({ path }, what, at) {
      const { trace } = await import('./trace.ts');
      const deadline = new Deadline(clock, BUDGET);
      using _place = await enter('small', deadline);
      return await trace(fresh, { deadline, retries: options.retries }, path, what, at);
    },
    async tags({ path }) {
      const list = (endpoint: Endpoint, effort: Effort) =>
        tagLists.list(endpoint, (request) => page(effort, request), path);
      return { items: await failover.run(new Deadline(clock, LISTING), list) };
    },
    distrust: (digest) => failover.distrust(digest),
    [Symbol.asyncDispose]: close,
  };
}

function connect(
  options: UpstreamOptions,
  clock: Clock,
  observe: (event: UpstreamEvent) => void,
): {
  readonly failover: Failover;
  readonly fresh: (visit: Visit) => Endpoint;
  readonly close: () => Promise<void>;
} {
  const { host, credentials = async () => undefined, timeouts, ns, hints } = options;
  const headers = Object.fromEntries(
    Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const main = new URL(options.url);
  const mirrors = options.mirrors.map((mirror) => new URL(mirror));
  const trusted = [main, ...mirrors].map(({ hostname }) => unbracketed(hostname));
  const addresses = addressRule(trusted, options.allowPrivate);
  const connections = dispatcher({
    tls: options.tls,
    proxy: options.proxy,
    connectTimeout: timeouts.connect,
    addresses,
  });
  const { via } = options;
  const shared = {
    host,
    timeouts,
    dispatcher: connections,
    addresses,
    clock,
    observe,
    ns,
    hints,
    via,
  };
  const own = {
    ...shared,
    url: main,
    headers,
    credentials: (path: string) => credentials(host, path),
  };
  const failover = new Failover({
    main: new Endpoint(own),
    mirrors: mirrors.map(
      (url) =>
        new Endpoint({ ...shared, url, headers: {}, credentials: () => credentials(url.host) }),
    ),
    retries: options.retries,
    clock,
  });
  const fresh = (visit: Visit): Endpoint => new Endpoint({ ...own, visit });
  return { failover, fresh, close: () => connections.destroy() };
}
