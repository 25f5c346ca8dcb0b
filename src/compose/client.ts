import path from 'node:path';
import type { ConnectOptions } from '../cli/context.ts';
import { RegistryError } from '../core/errors.ts';
import type { Caching } from '../image/cache/cached.ts';
import { client, type Client } from '../image/client.ts';
import { homeOf, storedCredentials } from '../image/logins/credential-files.ts';
import type { CredentialSource } from '../upstream/credentials.ts';
import type { ProxyOptions } from '../upstream/dispatcher.ts';
import { environmentProxy } from '../upstream/proxy.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Bytes that the content cache holds. */
const CACHE_SIZE = 10 * 2 ** 30;

/** What the verbs of the client work with, wired to this user's logins, cache and proxies. */
export async function connect(options: ConnectOptions, environment: Environment): Promise<Client> {
  const { connection, password, observe, hints } = options;
  const { ns, plainHttp, insecure, cacert, cacertFrom, cert, key, store } = connection;
  if ((cert === undefined) !== (key === undefined)) {
    throw new RegistryError('REQUEST_INVALID', '--cert and --key belong together');
  }
  const cache = await cacheOf(options, environment);
  const made = client({
    ns,
    plainHttp,
    insecure,
    cacert,
    cacertFrom,
    cert,
    key,
    store,
    observe,
    hints,
    cache,
    credentials: await credentialsOf(connection.user, password, environment),
    proxy: proxyOf(connection.proxy) ?? environmentProxy(environment),
  });
  return {
    read: (location) => made.read(location),
    write: (location, sinkOptions) => made.write(location, sinkOptions),
    registry: (host) => made.registry(host),
    async [Symbol.asyncDispose]() {
      // At once: what the cache still waits for ends with the connections.
      await Promise.all([cache?.[Symbol.asyncDispose](), made[Symbol.asyncDispose]()]);
    },
  };
}

/** Where content is kept between runs. */
export function cacheFolder(environment: Environment): string {
  const base = environment['XDG_CACHE_HOME'] || path.join(homeOf(environment), '.cache');
  return path.join(base, 'layover');
}

async function cacheOf(
  { connection: { cache = true, cacheSize }, cacheEvents }: ConnectOptions,
  environment: Environment,
): Promise<Caching | undefined> {
  if (cache === false) return undefined;
  const { contentCache } = await import('../image/cache/cached.ts');
  return contentCache({
    folder: cache === true ? cacheFolder(environment) : cache,
    maxSize: cacheSize === undefined ? CACHE_SIZE : await sizeOf(cacheSize),
    ...(cacheEvents && { observe: cacheEvents }),
  });
}

async function sizeOf(text: string): Promise<number> {
  const { parseSize } = await import('../config/size.ts');
  const size = parseSize(text);
  if (size !== undefined) return size;
  throw new RegistryError(
    'REQUEST_INVALID',
    `--cache-size: ${JSON.stringify(text)} is not a size; such as 20GiB, 500MB`,
  );
}

async function credentialsOf(
  user: string | undefined,
  password: string | undefined,
  environment: Environment,
): Promise<CredentialSource> {
  if (user === undefined && password === undefined) return storedCredentials(environment);
  if (user !== undefined && password !== undefined) {
    const { givenCredentials } = await import('../upstream/credentials.ts');
    return givenCredentials(user, password, '--user');
  }
  throw new RegistryError(
    'REQUEST_INVALID',
    user === undefined
      ? 'there is a password and no user: --user names one'
      : 'there is a user and no password: --password-stdin reads one',
  );
}

function proxyOf(url: string | undefined): ProxyOptions | undefined {
  if (url === undefined) return undefined;
  if (!URL.canParse(url)) {
    throw new RegistryError('REQUEST_INVALID', `--proxy: ${JSON.stringify(url)} is not a URL`);
  }
  return { http: url, https: url };
}
