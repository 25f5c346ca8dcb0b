import { RegistryError } from '../../core/errors.ts';
import { isTextRecord } from '../../core/shape.ts';
import { runHelper } from '../../upstream/credential-helper.ts';
import { credentialsOf, type Credentials } from '../../upstream/credentials.ts';
import { helperServer, normalHost } from '../../upstream/docker-host.ts';
import type { Environment } from './credential-files.ts';

/** What is kept where docker's files would have it: the name, and a password or identity token. */
export interface Secret {
  readonly username: string;
  readonly secret: string;
}

/** The logins that `docker-credential-<name>` keeps. @throws RegistryError UPSTREAM_UNAVAILABLE */
export interface HelperStore {
  store(host: string, secret: Secret): Promise<void>;
  erase(host: string): Promise<void>;
  get(host: string): Promise<Credentials | undefined>;
  /** Hosts, and the user name of each. */
  list(): Promise<ReadonlyMap<string, string>>;
}

export function helperStore(name: string, environment: Environment): HelperStore {
  const run = async (verb: 'store' | 'erase' | 'list', input: string): Promise<string> => {
    const { status, output } = await runHelper(name, verb, input, environment);
    if (status === 0) return output;
    throw failed(name, `${verb} ended with status ${status}`);
  };
  return {
    async store(host, { username, secret }) {
      const entry = { ServerURL: helperServer(host), Username: username, Secret: secret };
      await run('store', JSON.stringify(entry));
    },
    async erase(host) {
      // A helper that has nothing to erase says so with an error.
      await runHelper(name, 'erase', helperServer(host), environment);
    },
    async get(host) {
      const { status, output } = await runHelper(name, 'get', helperServer(host), environment);
      if (status !== 0) return undefined;
      const { Username: username, Secret: secret } = parse(name, output);
      return username === undefined || !secret ? undefined : credentialsOf(username, secret);
    },
    async list() {
      const listed = Object.entries(parse(name, await run('list', '')));
      return new Map(listed.map(([server, username]) => [normalHost(server), username]));
    },
  };
}

function parse(name: string, output: string): Readonly<Record<string, string>> {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    // Without a cause: the parser's message quotes what it read, and that may be a secret.
    throw failed(name, 'its answer is not JSON');
  }
  if (isTextRecord(value)) return value;
  throw failed(name, 'its answer is no object of texts');
}

function failed(name: string, why: string): RegistryError {
  const message = `the credential helper docker-credential-${name} is of no use: ${why}`;
  return new RegistryError('UPSTREAM_UNAVAILABLE', message);
}
