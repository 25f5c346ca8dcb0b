import type { Command } from '@commander-js/extra-typings';
import { checkLogin } from '../image/logins/login.ts';
import { logins } from '../image/logins/logins.ts';
import { credentialsOf } from '../upstream/credentials.ts';
import { registry } from './arguments.ts';
import { connecting, type Connection } from './connection.ts';
import type { Context } from './context.ts';
import { opening } from './opening.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover login
  layover login --user me ghcr.io
  layover login --user me --password-stdin registry.example.com < password
`;

export function addLogin(program: Command, context: Context): void {
  connecting(program.command('login'))
    .description(
      'Checks a user name and a password with a registry, and keeps them where docker does: in its config.json, or the credential helper that it names. What docker login stored is found by Layover, and the other way round.',
    )
    .argument('[registry]', 'docker.io if left out', registry, 'docker.io')
    .addHelpText('after', EXAMPLES)
    .action(async (host, connection) => {
      const { user, password } = await asked(connection, context);
      const given = { ...connection, user, password, passwordStdin: undefined };
      await using client = await opening(given, context);
      await checkLogin(client.client, host);
      const place = await logins(context.environment).store(host, credentialsOf(user, password));
      if (connection.quiet !== true) {
        context.output.error(`logged in to ${host} as ${user}; kept in ${place}\n`);
      }
    });
}

/** What the flags leave open is asked for. */
async function asked(
  { user, password, passwordStdin }: Connection,
  { input }: Context,
): Promise<{ readonly user: string; readonly password: string }> {
  if (passwordStdin === true && user === undefined) {
    throw new UsageError('--password-stdin needs --user');
  }
  const name = user ?? (await input.line('Username: '))?.trim();
  if (name === undefined || name === '') throw new UsageError('there is no user name');
  const secret =
    passwordStdin === true
      ? (await input.text()).replace(/\r?\n$/, '')
      : (password ?? (await input.line('Password: ', 'hidden')));
  if (secret === undefined || secret === '') throw new UsageError('there is no password');
  return { user: name, password: secret };
}
