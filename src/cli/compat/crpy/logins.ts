import { stat } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../../core/errors.ts';
import { changeConfig } from '../../../image/logins/config-file.ts';
import { crpyFile } from '../../../image/logins/credential-files.ts';
import { checkLogin } from '../../../image/logins/login.ts';
import { authOf, readConfig, recordOf } from '../../../upstream/docker-config.ts';
import { normalHost } from '../../../upstream/docker-host.ts';
import { richTable } from '../rich-table.ts';
import { parseCrpy } from './reference.ts';
import { session, type Command } from './session.ts';

const HUB = 'index.docker.io';

/** Two spaces, as crpy indents its file. */
const INDENT = '  ';

/** `crpy login [URL]`: asks for what is not given, shows it to the registry, and keeps it. */
export async function crpyLogin(command: Command): Promise<void> {
  const { values, context } = command;
  const { input, output, environment } = context;
  const target = parseCrpy(values.get('url') ?? HUB, 'registry');
  const user = values.get('username') ?? (await input.line('Username: ')) ?? '';
  const password = values.get('password') ?? (await input.line('Password: ', 'hidden')) ?? '';
  if (user === '')
    throw new RegistryError('REQUEST_INVALID', 'There is no username to log in with');
  const { registry, host } = target;
  await using client = await session(target, command, {
    login: { user, password },
    told: 'none',
  });
  await checkLogin(client.client, host);
  output.error(`Authenticated at ${registry}\n`);
  const file = crpyFile(environment);
  if (!(await isThere(path.dirname(file)))) {
    output.error(`Creating cache directory: ${path.dirname(file)}/\n`);
  }
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  await changeConfig(
    file,
    (config) => ({ ...config, auths: { ...recordOf(config['auths']), [registry]: { auth } } }),
    INDENT,
  );
}

/** `crpy logout [URL]` */
export async function crpyLogout({ values, context }: Command): Promise<void> {
  const { registry, host, image } = parseCrpy(values.get('url') ?? HUB, 'registry');
  if (image !== undefined) {
    throw new RegistryError(
      'NAME_INVALID',
      'Invalid url provided. Please provide the full registry url, without repository name.\n' +
        '   Example: index.docker.io instead of index.docker.io/library/alpine\n' +
        '            http://localhost:5000 instead of localhost:5000/alpine',
    );
  }
  let removed = false;
  const file = crpyFile(context.environment);
  if ((await readConfig(file)) !== undefined) {
    await changeConfig(
      file,
      (config) => {
        const entries = Object.entries(recordOf(config['auths']));
        const kept = entries.filter(([key]) => normalHost(key) !== host);
        removed = kept.length < entries.length;
        return removed ? { ...config, auths: Object.fromEntries(kept) } : undefined;
      },
      INDENT,
    );
  }
  if (!removed) {
    throw new RegistryError('NAME_UNKNOWN', `Could find find credentials for ${registry}`);
  }
  context.output.out(`Removed credentials for ${registry}\n`);
}

/** `crpy auth`: what crpy itself keeps. */
export async function crpyAuth({ values, context }: Command): Promise<void> {
  const config = (await readConfig(crpyFile(context.environment))) ?? {};
  const rows = Object.entries(recordOf(config['auths'])).flatMap(([url, entry]) => {
    const known = authOf(entry);
    if (known === undefined) return [];
    const secret = known.kind === 'basic' ? known.password : known.token;
    return [{ url, username: known.kind === 'bearer' ? '' : known.username, secret }];
  });
  const table = richTable({
    title: 'Saved credentials',
    head: ['Index', 'Url', 'Username', 'Password'],
    rows: rows.map(({ url, username, secret }, index) => {
      return [String(index), url, username, values.has('show-passwords') ? secret : masked(secret)];
    }),
    lines: 'none',
  });
  context.output.out(table);
}

/** Of very short ones nothing is shown: it would be all of it. */
function masked(secret: string): string {
  return secret.length <= 4 ? '***' : `${secret.slice(0, 2)}***${secret.slice(-2)}`;
}

async function isThere(folder: string): Promise<boolean> {
  try {
    await stat(folder);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
