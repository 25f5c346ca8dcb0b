import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Config, Upstream as UpstreamConfig } from '../config/config.ts';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Source } from '../core/source.ts';
import { offlineSource } from '../mirror/offline.ts';
import { helperCredentials } from '../upstream/credential-helper.ts';
import {
  fileCredentials,
  givenCredentials,
  type CredentialSource,
} from '../upstream/credentials.ts';
import type { ProxyOptions, TlsOptions } from '../upstream/dispatcher.ts';
import { dockerCredentials } from '../upstream/docker-config.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import { upstream, type Upstream } from '../upstream/upstream.ts';

/** Attempts after the first one until there are headers; a body that breaks has `downloads.retries`. */
const REQUEST_RETRIES = 2;

/** The configured upstreams, ready to be asked. */
export interface Upstreams extends AsyncDisposable {
  /** @throws RegistryError NAME_UNKNOWN for a host that is not configured */
  readonly of: (host: string) => Source;
  /** What came under the digest was wrong: whichever address it came from is passed over for a while. */
  distrust(host: string, digest: Digest): void;
}

/** Who is told what: upstreams the name of this mirror, the observer what becomes of requests. */
interface Told {
  readonly via: string;
  readonly observe: (event: UpstreamEvent) => void;
}

type Environment = Readonly<Record<string, string | undefined>>;

export async function openUpstreams(
  config: Config,
  environment: Environment,
  told: Told,
): Promise<Upstreams> {
  const opened = new Map<string, Upstream>();
  const sources = new Map<string, Source>();
  for (const [host, settings] of config.upstreams) {
    if (config.offline) {
      sources.set(host, offlineSource(host));
      continue;
    }
    const made = await open(settings, environment, told);
    opened.set(host, made);
    sources.set(host, made);
  }
  return {
    of: (host) => {
      const source = sources.get(host);
      if (source === undefined)
        throw new RegistryError('NAME_UNKNOWN', `${host} is not configured`);
      return source;
    },
    distrust: (host, digest) => opened.get(host)?.distrust(digest),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...opened.values()].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

async function open(
  settings: UpstreamConfig,
  environment: Environment,
  { via, observe }: Told,
): Promise<Upstream> {
  const { host, url, mirrors, headers, allowPrivate, maxConnections, timeouts } = settings;
  const credentials = credentialsOf(settings, environment);
  const proxy = settings.proxy ?? proxyOf(environment);
  const tls = await tlsOf(settings);
  return upstream({
    host,
    url,
    mirrors,
    headers,
    allowPrivate,
    maxConnections,
    timeouts,
    via,
    observe,
    ...(credentials && { credentials }),
    ...(tls && { tls }),
    ...(proxy !== undefined && { proxy }),
    retries: REQUEST_RETRIES,
  });
}

/** Files are read at the start: a certificate that is missing should not be found out by a client. */
async function tlsOf({ tls }: UpstreamConfig): Promise<TlsOptions | undefined> {
  const { ca, cert, key, insecureSkipVerify } = tls;
  if (ca === undefined && cert === undefined && !insecureSkipVerify) return undefined;
  return {
    ...(ca !== undefined && { ca: await readFile(ca, 'utf8') }),
    ...(cert !== undefined && { cert: await readFile(cert, 'utf8') }),
    ...(key !== undefined && { key: await readFile(key, 'utf8') }),
    insecureSkipVerify,
  };
}

function credentialsOf(
  { host, credentials }: UpstreamConfig,
  environment: Environment,
): CredentialSource | undefined {
  const helpers = { environment };
  switch (credentials?.kind) {
    case undefined: {
      // Only where somebody asked for it: a developer's own logins are not everybody's business.
      const folder = environment['DOCKER_CONFIG'];
      if (folder === undefined || folder === '') return undefined;
      return dockerCredentials(path.join(folder.replace(/^~/, homedir()), 'config.json'), helpers);
    }
    case 'password':
      return givenCredentials(credentials.username, credentials.password);
    case 'file':
      return fileCredentials(credentials.username, credentials.passwordFile);
    case 'environment': {
      const password = environment[credentials.passwordEnv];
      if (password !== undefined) return givenCredentials(credentials.username, password);
      throw new RegistryError(
        'UNAUTHORIZED',
        `upstreams.${host}.credentials.passwordEnv: the environment has no ${credentials.passwordEnv}`,
      );
    }
    case 'helper':
      return helperCredentials(credentials.helper, helpers);
  }
}

function proxyOf(environment: Environment): ProxyOptions | undefined {
  const get = (name: string) => environment[name.toLowerCase()] ?? environment[name];
  const [http, https, none] = [get('HTTP_PROXY'), get('HTTPS_PROXY'), get('NO_PROXY')];
  if (!http && !https) return undefined;
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}
