import { readFile } from 'node:fs/promises';
import { RegistryError } from '../core/errors.ts';
import type { Source } from '../core/source.ts';
import type { Clock } from '../upstream/clock.ts';
import type { CredentialSource } from '../upstream/credentials.ts';
import type { ProxyOptions, TlsOptions } from '../upstream/dispatcher.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import type { Hints } from '../upstream/hints.ts';
import { upstream, type Upstream, type UpstreamOptions } from '../upstream/upstream.ts';
import { allowedPrivate, urlOf, type Scheme } from './address.ts';
import type { SinkOptions } from './archive/open-sink.ts';
import { flagHints } from './flag-hints.ts';
import type { Caching } from './cache/cached.ts';
import type { Location } from './location.ts';
import type { Opened, OpenedSink } from './opened.ts';
import { reach } from './reach.ts';
import { resuming } from './resuming.ts';

/** The way to registries, the same for all of them. */
export interface ClientOptions {
  /** The registry that the one named is asked for as a mirror of it: `?ns=` of every request but those of `write`. */
  readonly ns?: string | undefined;
  /**
   * HTTP, not HTTPS; `false`: never. `'found-out'`: HTTPS, and on this machine HTTP where there is no
   * TLS. Left out: the same, unless certificates are named, which mean TLS.
   */
  readonly plainHttp?: boolean | 'found-out' | undefined;
  /** Certificates are not checked. */
  readonly insecure?: true | undefined;
  /** Files in PEM: roots that are trusted as well, and the certificate to be shown with its key. */
  readonly cacert?: string | undefined;
  /** Who named `cacert`, as messages say it; `--cacert` if left out. */
  readonly cacertFrom?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** `storedCredentials` for what docker knows, `givenCredentials` for a password at hand. */
  readonly credentials?: CredentialSource | undefined;
  readonly proxy?: ProxyOptions | undefined;
  /** The folder of a mirror's store: images are read there, and no registry is asked for them. */
  readonly store?: string | undefined;
  /** What registries are read through. It stays open when the client is disposed. */
  readonly cache?: Caching | undefined;
  /** Milliseconds; see `UpstreamOptions`. */
  readonly timeouts?: UpstreamOptions['timeouts'] | undefined;
  /** After the first attempt. */
  readonly retries?: number | undefined;
  /** Blobs at a time, from or to one registry. */
  readonly maxConnections?: number | undefined;
  /** Bytes of a chunk when pushing; a blob goes in one piece if left out. */
  readonly chunk?: number | undefined;
  readonly observe?: ((event: UpstreamEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** What helps, where it is not what `layover` has flags for. */
  readonly hints?: Partial<Hints> | undefined;
}

/**
 * Opens locations, whatever they are. There is one upstream a registry, found out about when it is
 * first asked for, and closed with the client.
 */
export interface Client extends AsyncDisposable {
  /** @throws RegistryError for a place that is not there or is none; a registry is not asked yet */
  read(location: Location): Promise<Opened>;
  /** What a registry is given is there at once; `commit` is for folders and archives. */
  write(location: Location, options?: SinkOptions): Promise<OpenedSink>;
  /** @param host as users write it: `docker.io`, `localhost:5000` */
  registry(host: string): Promise<Upstream>;
}

const TIMEOUTS = { connect: 10_000, headers: 20_000, idle: 60_000 };
const RETRIES = 4;
const CONNECTIONS = 8;

export function client(options: ClientOptions = {}): Client {
  const opened = new Map<string, Promise<Upstream>>();
  const cached = new Map<string, Source>();
  let tls: Promise<TlsOptions | undefined> | undefined;

  const connect = async (host: string, ns: string | undefined): Promise<Upstream> => {
    tls ??= readTls(options);
    const way = options.proxy === undefined ? 'direct' : 'proxied';
    const allowPrivate = await allowedPrivate(host, way);
    const made = upstreamOptions(host, { ...options, ns }, await tls, allowPrivate);
    const scheme = schemeOf(options);
    return scheme === undefined
      ? await reach(host, made)
      : upstream({ ...made, url: urlOf(host, scheme) });
  };
  const openedAs = async (host: string, ns: string | undefined): Promise<Upstream> => {
    const key = JSON.stringify([host, ns]);
    const known = opened.get(key) ?? connect(host, ns);
    opened.set(key, known);
    try {
      return await known;
    } catch (error) {
      if (opened.get(key) === known) opened.delete(key);
      throw error;
    }
  };
  const registry = (host: string): Promise<Upstream> => openedAs(host, options.ns);
  const sourceOf = async (host: string): Promise<Source> => {
    const plain = await registry(host);
    const { retries = RETRIES } = options;
    const source = cached.get(host) ?? options.cache?.over(plain) ?? resuming(plain, { retries });
    cached.set(host, source);
    return source;
  };

  return {
    registry,
    async read(location) {
      // Loaded when needed: a command line lives hardly longer than its modules take to load.
      if (location.kind !== 'registry') {
        return await (await import('./archive/open-place.ts')).openPlace(location);
      }
      const { repository, at } = location.reference;
      if (options.store !== undefined) {
        const { openStore } = await import('./store-source.ts');
        return await openStore(options.store, location.reference);
      }
      const source = await sourceOf(repository.host);
      return { source, repository, at, ...staysOpen };
    },
    async write(location, sinkOptions) {
      if (location.kind !== 'registry') {
        return await (await import('./archive/open-sink.ts')).openSink(location, sinkOptions);
      }
      const { repository, at } = location.reference;
      // What is written lies where it is said to: a mirror takes nothing for another registry.
      const { sink } = await openedAs(repository.host, undefined);
      return { sink, repository, at, commit: async () => {}, ...staysOpen };
    },
    async [Symbol.asyncDispose]() {
      const all = await Promise.allSettled(opened.values());
      opened.clear();
      for (const one of all) {
        if (one.status === 'fulfilled') await one.value[Symbol.asyncDispose]();
      }
    },
  };
}

/** How registries are spoken to; `undefined`: that is found out. */
function schemeOf({ plainHttp, cacert, cert }: ClientOptions): Scheme | undefined {
  if (typeof plainHttp === 'boolean') return plainHttp ? 'http' : 'https';
  if (plainHttp === 'found-out') return undefined;
  return (cacert ?? cert) === undefined ? undefined : 'https';
}

/** The client closes its registries, whoever has opened something there. */
const staysOpen: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

function upstreamOptions(
  host: string,
  options: ClientOptions,
  tls: TlsOptions | undefined,
  allowPrivate: readonly string[],
): Omit<UpstreamOptions, 'url'> {
  return {
    host,
    mirrors: [],
    credentials: options.credentials,
    tls,
    proxy: options.proxy,
    allowPrivate,
    maxConnections: options.maxConnections ?? CONNECTIONS,
    retries: options.retries ?? RETRIES,
    timeouts: options.timeouts ?? TIMEOUTS,
    ns: options.ns,
    hints: { ...flagHints(host, options.proxy), ...options.hints },
    chunk: options.chunk,
    observe: options.observe,
    clock: options.clock,
  };
}

async function readTls(options: ClientOptions): Promise<TlsOptions | undefined> {
  const { cacert, cacertFrom = '--cacert', cert, key, insecure } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new RegistryError('REQUEST_INVALID', '--cert and --key belong together');
  }
  if (cacert === undefined && cert === undefined && insecure === undefined) return undefined;
  const files = {
    ...(cacert !== undefined && {
      ca: await readPem(cacertFrom, cacert, 'certificate'),
    }),
    ...(cert !== undefined && {
      cert: await readPem('--cert', cert, 'certificate'),
    }),
    ...(key !== undefined && { key: await readPem('--key', key, 'private key') }),
  };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(files);
  } catch (cause) {
    const message = `the files of ${cacertFrom}, --cert and --key are damaged, or do not belong together`;
    throw new RegistryError('REQUEST_INVALID', message, { cause });
  }
  return { ...files, insecureSkipVerify: insecure === true };
}

async function readPem(flag: string, file: string, what: keyof typeof PEM): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new RegistryError('REQUEST_INVALID', `${flag}: ${file} cannot be read`, { cause });
  }
  if (PEM[what](text)) return text;
  throw new RegistryError('REQUEST_INVALID', `${flag}: ${file} holds no ${what} in PEM`);
}

/** Whether there is one. Roots that cannot be read would be passed over, and the registry be blamed. */
const PEM = {
  certificate(text: string): boolean {
    // Loaded for those who name such a file, and for no others.
    const { X509Certificate } = process.getBuiltinModule('node:crypto');
    try {
      return text.includes('-----BEGIN ') && new X509Certificate(text).raw.length > 0;
    } catch {
      return false;
    }
  },
  'private key': (text: string): boolean => /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text),
};
