import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import * as flag from './flags.ts';

const EXAMPLES = `
Examples:
  layover serve
  layover serve --listen 127.0.0.1:5000 --storage /var/lib/layover
  layover serve --config /etc/layover.yaml --log-level debug
  layover serve --offline --preload '/media/images/*.tar' images.txt
  layover serve --hello-world
`;

export function addServe(program: Command, { actions, output }: Context): void {
  program
    .command('serve')
    .description('Serves the mirror until SIGTERM or SIGINT, then lets running downloads finish.')
    .addOption(flag.config())
    .addOption(flag.listen())
    .addOption(flag.storage())
    .addOption(flag.defaultUpstream())
    .addOption(flag.offline())
    .addOption(flag.logLevel())
    .option(
      '--preload <pattern...>',
      'before anybody is served, import archives and fetch what files of other kinds name: globs, or several divided by commas',
    )
    .option(
      '--hello-world',
      'serve an image that is built in, from a folder of its own, without any network',
    )
    .addHelpText('after', EXAMPLES)
    .action(async ({ preload, helloWorld, ...options }) => {
      const server = await actions();
      await server.serve({
        ...flag.choices(options),
        preload: preload ?? [],
        helloWorld: helloWorld === undefined ? 'left-out' : 'included',
        onServing: (command) => output.error(`to try it: ${command}\n`),
      });
    });
}
