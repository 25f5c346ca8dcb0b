import type { Credentials } from '../../upstream/credentials.ts';
import { authOf, readConfig, recordOf } from '../../upstream/docker-config.ts';
import { helperServer, normalHost } from '../../upstream/docker-host.ts';
import { changeConfig, type DockerConfig } from './config-file.ts';
import { credentialFiles, crpyFile, dockerFile, type Environment } from './credential-files.ts';
import { helperStore, type Secret } from './helper-store.ts';

/** One login that is kept somewhere. */
export interface Login {
  /** `docker.io`, `localhost:5000`, with podman also `quay.io/organisation`. */
  readonly registry: string;
  readonly username: string;
  /** A file, or the name of a credential helper's program. */
  readonly place: string;
  /** A password or a token; left out unless asked for. */
  readonly secret?: string;
}

export interface LoggedOut {
  /** Places that had a login, which is gone. */
  readonly removed: readonly string[];
  /** Files of other programs that still have one. */
  readonly left: readonly string[];
}

/** Keeps logins where docker does, so that either finds the other's. */
export interface Logins {
  /** What is kept has been verified by the caller. Tells the place. */
  store(host: string, credentials: Credentials): Promise<string>;
  remove(host: string): Promise<LoggedOut>;
  /** Of every file and helper, in the order in which they count. */
  list(secrets: 'hidden' | 'shown'): Promise<readonly Login[]>;
}

export function logins(environment: Environment): Logins {
  const file = dockerFile(environment);
  return {
    async store(host, credentials) {
      const secret = secretOf(credentials);
      const config = (await readConfig(file)) ?? {};
      const helper = helperFor(config, host);
      if (helper !== undefined) await helperStore(helper, environment).store(host, secret);
      // An entry without content says that a helper has one; docker writes it, too.
      const entry = helper === undefined ? entryOf(credentials) : {};
      await changeConfig(file, (config) => withAuth(config, host, entry));
      return helper === undefined ? file : programOf(helper);
    },

    async remove(host) {
      const config = (await readConfig(file)) ?? {};
      const removed: string[] = [];
      const helper = helperFor(config, host);
      if (helper !== undefined) {
        const store = helperStore(helper, environment);
        if ((await store.get(host)) !== undefined) removed.push(programOf(helper));
        await store.erase(host);
      }
      for (const own of [file, crpyFile(environment)]) {
        if (await forget(own, host)) removed.push(own);
      }
      const left: string[] = [];
      for (const other of credentialFiles(environment)) {
        if (hasAuth((await readConfig(other)) ?? {}, host)) left.push(other);
      }
      return { removed, left };
    },

    async list(secrets) {
      const found: Login[] = [];
      for (const place of credentialFiles(environment)) {
        const config = (await readConfig(place)) ?? {};
        found.push(
          ...loginsIn(config, place),
          ...(await loginsBehind(config, environment, secrets)),
        );
      }
      const first = new Map<string, Login>();
      for (const login of found) if (!first.has(login.registry)) first.set(login.registry, login);
      return [...first.values()].map((login) => (secrets === 'shown' ? login : hidden(login)));
    },
  };
}

function hidden({ registry, username, place }: Login): Login {
  return { registry, username, place };
}

function secretOf(credentials: Credentials): Secret {
  switch (credentials.kind) {
    case 'basic':
      return { username: credentials.username, secret: credentials.password };
    case 'identity':
      return { username: '<token>', secret: credentials.token };
    case 'bearer':
      return { username: '<token>', secret: credentials.token };
  }
}

function entryOf(credentials: Credentials): Readonly<Record<string, string>> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  switch (credentials.kind) {
    case 'basic':
      return { auth: base64(`${credentials.username}:${credentials.password}`) };
    case 'identity':
      return { auth: base64(`${credentials.username}:`), identitytoken: credentials.token };
    case 'bearer':
      return { registrytoken: credentials.token };
  }
}

function helperFor(config: DockerConfig, host: string): string | undefined {
  const own = entriesFor(config['credHelpers'], host)[0]?.[1];
  if (typeof own === 'string') return own;
  const store = config['credsStore'];
  return typeof store === 'string' && store !== '' ? store : undefined;
}

function programOf(helper: string): string {
  return `docker-credential-${helper}`;
}

/** Entries of all keys that mean the registry: Hub has many names, and others may have a scheme. */
function entriesFor(section: unknown, host: string): readonly (readonly [string, unknown])[] {
  const name = normalHost(host);
  return Object.entries(recordOf(section)).filter(([key]) => normalHost(key) === name);
}

function hasAuth(config: DockerConfig, host: string): boolean {
  return entriesFor(config['auths'], host).some(([, entry]) => authOf(entry) !== undefined);
}

/** @param entry takes the place of every key that means the registry; none removes them */
function withAuth(config: DockerConfig, host: string, entry: object | undefined): DockerConfig {
  const before = new Set(entriesFor(config['auths'], host).map(([key]) => key));
  const kept = Object.entries(recordOf(config['auths'])).filter(([key]) => !before.has(key));
  const added = entry === undefined ? [] : [[helperServer(host), entry] as const];
  return { ...config, auths: Object.fromEntries([...kept, ...added]) };
}

async function forget(file: string, host: string): Promise<boolean> {
  const before = await readConfig(file);
  if (before === undefined || entriesFor(before['auths'], host).length === 0) return false;
  const had = hasAuth(before, host);
  await changeConfig(file, (config) => withAuth(config, host, undefined));
  return had;
}

function loginsIn(config: DockerConfig, place: string): readonly Login[] {
  return Object.entries(recordOf(config['auths'])).flatMap(([key, entry]) => {
    const credentials = authOf(entry);
    if (credentials === undefined) return [];
    const { username, secret } = secretOf(credentials);
    const named = credentials.kind === 'identity' && credentials.username !== '';
    return [
      {
        registry: normalHost(key),
        username: named ? credentials.username : username,
        place,
        secret,
      },
    ];
  });
}

async function loginsBehind(
  config: DockerConfig,
  environment: Environment,
  secrets: 'hidden' | 'shown',
): Promise<readonly Login[]> {
  const found: Login[] = [];
  const add = async (helper: string, registry: string, username: string): Promise<void> => {
    const store = helperStore(helper, environment);
    const credentials = secrets === 'shown' ? await store.get(registry) : undefined;
    const secret = credentials === undefined ? {} : { secret: secretOf(credentials).secret };
    found.push({ registry, username, place: programOf(helper), ...secret });
  };
  for (const [key, helper] of Object.entries(recordOf(config['credHelpers']))) {
    if (typeof helper !== 'string') continue;
    const host = normalHost(key);
    const credentials = await helperStore(helper, environment).get(host);
    if (credentials !== undefined) await add(helper, host, secretOf(credentials).username);
  }
  const store = config['credsStore'];
  if (typeof store !== 'string' || store === '') return found;
  for (const [host, username] of await helperStore(store, environment).list()) {
    await add(store, host, username);
  }
  return found;
}
