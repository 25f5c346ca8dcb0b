import { Option, type Command } from '@commander-js/extra-typings';
import { CLIENTS, type Checked } from './client-actions.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { json as formatted } from './json.ts';
import { Finding } from './output.ts';

const EXAMPLES = `
Examples:
  layover doctor                                      # on the mirror's machine
  layover doctor --mirror http://10.0.0.5:8080        # on a machine that pulls
  layover doctor --mirror http://10.0.0.5:8080 --client containerd --upstream docker.io
`;

const repeated = (value: string, earlier: readonly string[]): readonly string[] => [
  ...earlier,
  value,
];

export function addDoctor(program: Command, { actions, output }: Context): void {
  program
    .command('doctor')
    .description(
      'Proves that pulls arrive at the mirror, and says why where they do not: has the clients of this machine pull what exists nowhere and asks the mirror whether it was asked for it; reads their files; looks at upstreams, logins, budgets, clocks, the disk and certificates. Changes nothing. Exit code 1 if there is a fault.',
    )
    .option(
      '--mirror <url>',
      'the mirror as clients reach it (default: where the server of this configuration listens)',
    )
    .option('--ca <file>', 'the authority that vouches for the mirror (PEM)')
    .addOption(
      new Option('--client <name>', 'only this one (default: those of this machine)').choices(
        CLIENTS,
      ),
    )
    .addOption(
      new Option('--upstream <registry>', 'only this registry; more than one by repeating it')
        .argParser(repeated)
        .default([] as readonly string[], 'all that it mirrors'),
    )
    .option('--root <folder>', "the machine's files are below this folder; nothing is pulled", '/')
    .option('--socket <path>', "containerd's socket (default: where containerd and k3s have it)")
    .addOption(flag.config())
    .option('--json', 'print a JSON object')
    .option('-q, --quiet', 'print findings, nothing else')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, quiet, config, upstream, ...options }) => {
      const clients = await (await actions()).clients();
      const choices = { ...flag.choices({ config }), ...options, upstreams: upstream };
      const made: Checked[] = [];
      for await (const one of clients.diagnose(choices)) {
        made.push(one);
        if (json !== true) output.out(textOf(one, quiet === true ? 'findings' : 'all'));
      }
      const found = made.flatMap(({ findings }) => findings);
      const faults = found.filter(({ severity }) => severity === 'fault').length;
      if (json === true) output.out(formatted({ well: faults === 0, checks: made }));
      if (faults > 0) throw new Finding(faults === 1 ? 'a fault' : `${faults} faults`);
      if (quiet !== true && json !== true) output.error(`${summary(found.length)}\n`);
    });
}

function summary(warnings: number): string {
  if (warnings === 0) return 'all is well';
  return `no fault, ${warnings === 1 ? 'a warning' : `${warnings} warnings`}`;
}

function textOf({ state, looked, findings }: Checked, shown: 'findings' | 'all'): string {
  const signs = { well: 'ok  ', warning: 'warn', fault: 'FAIL' };
  const lines = findings.flatMap(({ saw, means, mend }) => [
    `      saw:   ${saw}`,
    `      means: ${means}`,
    `      mend:  ${mend}`,
    '',
  ]);
  if (shown === 'findings' && findings.length === 0) return '';
  return `${[`${signs[state]}  ${looked}`, ...lines].join('\n').trimEnd()}\n`;
}
