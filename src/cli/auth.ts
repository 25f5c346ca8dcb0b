import type { Command } from '@commander-js/extra-typings';
import { logins, type Login } from '../image/logins/logins.ts';
import { printableName } from '../layer/name.ts';
import { columns } from './columns.ts';
import type { Context } from './context.ts';
import { json as formatted } from './json.ts';

const EXAMPLES = `
Examples:
  layover auth
  layover auth --show-passwords --json
`;

export function addAuth(program: Command, { environment, output }: Context): void {
  program
    .command('auth')
    .description(
      "Prints the logins that there are, docker's, podman's and crpy's, in files and in credential helpers.",
    )
    .option('--show-passwords', 'print passwords and tokens as well')
    .option('--json', 'print a JSON array')
    .option('-q, --quiet', 'print data and errors, nothing else')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, showPasswords, quiet }) => {
      const secrets = showPasswords === true ? 'shown' : 'hidden';
      const found = await logins(environment).list(secrets);
      if (json === true) output.out(formatted(found));
      else if (found.length > 0) output.out(asTable(found, secrets));
      else if (quiet !== true) output.error('there are no logins\n');
    });
}

function asTable(found: readonly Login[], secrets: 'shown' | 'hidden'): string {
  const rows = found.map(({ registry, username, place, secret = '' }) => [
    registry,
    username,
    ...(secrets === 'shown' ? [secret] : []),
    place,
  ]);
  const head = ['REGISTRY', 'USER', ...(secrets === 'shown' ? ['PASSWORD'] : []), 'KEPT IN'];
  return columns([head, ...rows].map((row) => row.map(printableName)));
}
