import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { Finding } from './output.ts';

const EXAMPLES = {
  settings: `
Examples:
  layover settings check /etc/layover.yaml
  layover settings show --config /etc/layover.yaml
`,
  check: `
Example:
  layover settings check /etc/layover.yaml
  layover settings check --files /etc/layover.yaml
`,
  schema: `
Example:
  layover settings schema > layover.schema.json
`,
  show: `
Example:
  LAYOVER_TAGS_FRESH_FOR=5m layover settings show
`,
};

export function addSettings(program: Command, { actions, output }: Context): void {
  const settings = program
    .command('settings')
    .description('Looks at the configuration: the file, the environment and the flags together.')
    .addHelpText('after', EXAMPLES.settings);

  settings
    .command('check')
    .description('Lists every fault with its place. Exit code 1 if there is one.')
    .argument('[file]', 'configuration file (default: the one that serve would read)')
    .option('--files', 'checks the certificates, keys and variables that it names as well')
    .addHelpText('after', EXAMPLES.check)
    .action(async (file, { files }) => {
      const named = files === true ? 'checked' : 'unchecked';
      const choices = { ...flag.choices({ config: file }), named } as const;
      const faults = await (await actions()).check(choices);
      for (const fault of faults) output.out(`${fault}\n`);
      if (faults.length > 0) throw new Finding(counted(faults.length));
      output.error('no faults\n');
    });

  settings
    .command('schema')
    .description('Prints the JSON Schema of the configuration, for editors and charts.')
    .addHelpText('after', EXAMPLES.schema)
    .action(async () =>
      output.out(`${JSON.stringify((await actions()).schema(), undefined, 2)}\n`),
    );

  settings
    .command('show')
    .description(
      'Prints the configuration in effect and where each value comes from; secrets are masked.',
    )
    .addOption(flag.config())
    .addOption(flag.listen())
    .addOption(flag.storage())
    .addOption(flag.defaultUpstream())
    .addOption(flag.offline())
    .addOption(flag.logLevel())
    .addHelpText('after', EXAMPLES.show)
    .action(async (options) => output.out(await (await actions()).show(flag.choices(options))));
}

function counted(faults: number): string {
  return faults === 1 ? 'a fault' : `${faults} faults`;
}
