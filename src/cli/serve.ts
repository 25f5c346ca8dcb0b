import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import * as flag from './flags.ts';

const EXAMPLES = `
Examples:
  layover serve
  layover serve --listen 127.0.0.1:5000 --storage /var/lib/layover
  layover serve --config /etc/layover.yaml --log-level debug
`;

export function addServe(program: Command, { actions }: Context): void {
  program
    .command('serve')
    .description('Serves the mirror until SIGTERM or SIGINT, then lets running downloads finish.')
    .addOption(flag.config())
    .addOption(flag.listen())
    .addOption(flag.storage())
    .addOption(flag.defaultUpstream())
    .addOption(flag.offline())
    .addOption(flag.logLevel())
    .addHelpText('after', EXAMPLES)
    .action(async (options) => (await actions()).serve(flag.choices(options)));
}
