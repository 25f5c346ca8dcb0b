import { readFile } from 'node:fs/promises';
import { systemCode } from '../../../core/errors.ts';
import type { Repository } from '../../../core/reference.ts';
import { dockerCredentials, readConfig } from '../../../upstream/docker-config.ts';
import type { Context } from '../../context.ts';
import type { Log } from './log.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

const CONFIG = '/etc/crget.conf';

/**
 * The login that crget would show: of the environment, or of the file that it, or the configuration,
 * names. `undefined`: none of them has one.
 */
export async function loginFor(
  repository: Repository,
  written: string,
  config: string | undefined,
  { environment }: Context,
  log: Log,
): Promise<Login | undefined> {
  const { REGISTRY_USERNAME: user, REGISTRY_PASSWORD: password } = environment;
  if (user && password) return { user, password };
  const file = environment['REGISTRY_AUTH_FILE'] || (await authFileOf(config ?? CONFIG));
  if (file === undefined) return undefined;
  if ((await readConfig(file)) === undefined) {
    log.warning(`Registry auth file not found: ${file}, skipping registry auth file`);
    return undefined;
  }
  const found = await dockerCredentials(file, { environment })(repository.host, repository.path);
  switch (found?.kind) {
    case 'basic':
      return { user: found.username, password: found.password };
    case 'identity':
      return { user: '<token>', password: found.token };
    case 'bearer':
    case undefined:
      log.warning(`No auth found for registry: ${written}, skipping registry auth file`);
      return undefined;
  }
}

/** `registry_auth_file` of the section `DEFAULT` (INI, as Python's configparser reads it). */
export async function authFileOf(config: string): Promise<string | undefined> {
  let section = '';
  for (const line of (await textOf(config)).split(/\r?\n/)) {
    const head = /^\[(.+)\]\s*$/.exec(line)?.[1];
    if (head !== undefined) section = head;
    const [, key, value] = /^([^\s#;=:][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === 'DEFAULT' && key?.toLowerCase() === 'registry_auth_file')
      return value || undefined;
  }
  return undefined;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}
