import type { Command } from '@commander-js/extra-typings';
import { logins } from '../image/logins/logins.ts';
import { registry } from './arguments.ts';
import type { Context } from './context.ts';

const EXAMPLES = `
Examples:
  layover logout
  layover logout ghcr.io
`;

export function addLogout(program: Command, { environment, output }: Context): void {
  program
    .command('logout')
    .description("Forgets a registry's login, wherever docker or crpy would find it.")
    .argument('[registry]', 'docker.io if left out', registry, 'docker.io')
    .option('-q, --quiet', 'print errors, nothing else')
    .addHelpText('after', EXAMPLES)
    .action(async (host, { quiet }) => {
      const { removed, left } = await logins(environment).remove(host);
      if (quiet === true) return;
      for (const place of removed) output.error(`logged out of ${host}, in ${place}\n`);
      if (removed.length === 0) output.error(`not logged in to ${host}\n`);
      for (const place of left) {
        output.error(`${place} still has a login to ${host}: it belongs to another program\n`);
      }
    });
}
