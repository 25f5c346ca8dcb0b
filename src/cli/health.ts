import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { Finding } from './output.ts';

const EXAMPLES = `
Examples:
  layover health
  layover health --config /etc/layover/layover.yaml
`;

export function addHealth(program: Command, { actions }: Context): void {
  program
    .command('health')
    .description(
      'Asks the server that runs with this configuration on this machine whether it is ready, as containers have it for their health check. Exit code 1 if it is not, or if nobody answers.',
    )
    .addOption(flag.config())
    .addOption(flag.listen())
    .addHelpText('after', EXAMPLES)
    .action(async (options) => {
      const reason = await (await actions()).health(flag.choices(options));
      if (reason !== undefined) throw new Finding(reason);
    });
}
