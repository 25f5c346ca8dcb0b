import { readFile } from 'node:fs/promises';
import type { Config, Upstream as UpstreamConfig } from '../config/config.ts';
import type { PemFiles } from '../config/pem.ts';
import { asError, RegistryError, systemCode } from '../core/errors.ts';
import { nameForVia } from '../core/via.ts';
import type { Held } from '../setup/doctor/checks/certificates.ts';
import type { Askable } from '../setup/doctor/checks/upstreams.ts';
import type { ServerSide } from '../setup/doctor/doctor.ts';
import { connect, credentialsOf, recipeOf } from './recipe.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a configuration says about a mirror, with its upstreams to be asked as the server would ask them. */
export async function serverSideOf(config: Config, environment: Environment): Promise<ServerSide> {
  const { storage, tls, upstreams, offline } = config;
  const asked = offline ? [] : [...upstreams.values()];
  const pem = await readable(asked);
  const askable = asked.map((settings) => askableOf(settings, { environment, pem }));
  const held: Held[] = [];
  if (tls !== undefined) {
    held.push(await certificate('tls.cert', tls.cert, tls.key));
    if (tls.clientCa !== undefined) held.push(await certificate('tls.clientCa', tls.clientCa));
  }
  for (const { host, tls } of upstreams.values()) {
    const key = `upstreams.${host}.tls`;
    if (tls.cert !== undefined) held.push(await certificate(`${key}.cert`, tls.cert, tls.key));
    if (tls.ca !== undefined) held.push(await certificate(`${key}.ca`, tls.ca));
  }
  const { path, minFree, maxSize } = storage;
  return {
    storage: { path, minFree, maxSize },
    upstreams: askable,
    certificates: held,
  };
}

interface Means {
  readonly environment: Environment;
  readonly pem: PemFiles;
}

function askableOf(settings: UpstreamConfig, { environment, pem }: Means): Askable {
  const { host, credentials } = settings;
  let last: string | undefined;
  const ask = async (): Promise<void> => {
    try {
      const recipe = recipeOf(settings, environment, pem);
      await using upstream = connect(recipe, credentialsOf(recipe, environment), {
        via: nameForVia(),
        observe: (event) => {
          if (event.type === 'request') last = event.code;
        },
      });
      await upstream.check();
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause;
      // A certificate or key that cannot be used: the check of certificates says which.
      throw new RegistryError('UPSTREAM_INVALID', asError(cause).message, { cause });
    }
  };
  return {
    host,
    url: settings.url,
    unusable: unusableLogin(settings, environment),
    login: credentials === undefined ? 'anonymous' : 'given',
    ask,
    last: () => last,
  };
}

/** A password that is not where the configuration says it is. */
function unusableLogin(
  { credentials }: UpstreamConfig,
  environment: Environment,
): string | undefined {
  if (credentials?.kind !== 'environment') return undefined;
  const { passwordEnv } = credentials;
  return environment[passwordEnv] === undefined
    ? `the environment has no ${passwordEnv}`
    : undefined;
}

/** Those of the files that can be read. */
async function readable(upstreams: readonly UpstreamConfig[]): Promise<PemFiles> {
  const texts = new Map<string, string>();
  for (const { tls } of upstreams) {
    for (const file of [tls.ca, tls.cert, tls.key]) {
      if (file !== undefined) texts.set(file, await textOf(file));
    }
  }
  return texts;
}

async function certificate(key: string, cert: string, privateKey?: string): Promise<Held> {
  return {
    what: `${key} (${cert})`,
    at: { file: cert },
    pem: await textOf(cert),
    key: privateKey === undefined ? undefined : await textOf(privateKey),
  };
}

/** Nothing, for a file that cannot be read: that is no certificate either. */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}
