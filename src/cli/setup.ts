import { Argument, Option, type Command } from '@commander-js/extra-typings';
import { CLIENTS, type PlaceChoices, type SetupOutcome } from './client-actions.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { json as formatted } from './json.ts';
import { Finding } from './output.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover setup containerd --mirror http://10.0.0.5:8080
  layover setup containerd --mirror http://10.0.0.5:8080 --write
  layover setup podman --mirror https://mirror.lan --ca ca.pem --upstream docker.io --upstream quay.io
  layover setup containerd --undo --write
`;

const repeated = (value: string, earlier: readonly string[]): readonly string[] => [
  ...earlier,
  value,
];

export function addSetup(program: Command, { actions, output }: Context): void {
  program
    .command('setup')
    .description(
      "Points a client on this machine at a mirror: shows what would change in the client's files, as a diff, and changes it with --write. What is there stays; every file is backed up before it is changed, and --undo brings it back. Exit code 1 if a file has to be changed by hand.",
    )
    .addArgument(new Argument('<client>', 'whose files').choices(CLIENTS))
    .option(
      '--mirror <url>',
      'the mirror as the client reaches it (default: where the server of this configuration listens)',
    )
    .option('--ask <url>', 'where to ask it which registries it mirrors (default: --mirror)')
    .addOption(
      new Option('--upstream <registry>', 'only this registry; more than one by repeating it')
        .argParser(repeated)
        .default([] as readonly string[], 'all that it mirrors'),
    )
    .option(
      '--ca <file>',
      'the authority that vouches for the mirror (PEM); it is installed as well',
    )
    .option('--root <folder>', "the machine's files are below this folder", '/')
    .option(
      '--certs-d <folder>',
      "containerd: the folder of hosts.toml files (default: config_path's)",
    )
    .option('--edit-config', "containerd: set config_path in containerd's configuration if need be")
    .option('--write', 'change the files')
    .option('--undo', 'bring the files back to what they were')
    .option('--force', 'with --undo: also those that somebody changed since, losing that')
    .addOption(
      new Option(
        '--left-alone <is>',
        'what a file is that has to be changed by hand: a failure, or but told',
      )
        .choices(['failure', 'told'] as const)
        .default('failure' as const),
    )
    .addOption(flag.config())
    .option('--json', 'print a JSON object')
    .option('-q, --quiet', 'print data and errors, nothing else')
    .addHelpText('after', EXAMPLES)
    .action(async (client, options) => {
      const { mirror, ask, upstream, ca, editConfig, undo, force, json, quiet } = options;
      if (force === true && undo !== true) throw new UsageError('--force goes with --undo');
      const place: PlaceChoices = {
        client,
        root: options.root,
        certsFolder: options.certsD,
        mode: options.write === true ? 'write' : 'plan',
      };
      const clients = await (await actions()).clients();
      const outcome =
        undo === true
          ? await clients.undo({ ...place, changes: force === true ? 'lose' : 'respect' })
          : await clients.setUp({
              ...flag.choices({ config: options.config }),
              ...place,
              mirror,
              ask,
              ca,
              upstreams: upstream,
              ownConfig: editConfig === true ? 'edit' : 'leave',
            });
      const written = place.mode === 'write';
      if (json === true) output.out(formatted({ client, written, ...outcome }));
      else output.out(textOf(outcome, place.mode));
      if (quiet !== true && json !== true) {
        output.error(remarks(outcome, place.mode));
      }
      if (outcome.refused.length === 0) return;
      if (options.leftAlone === 'failure') throw new Finding(refusal(outcome));
      output.error(`${refusal(outcome)}\n`);
    });
}

/** What would change as a diff, what has been changed as a list. */
function textOf({ changes }: SetupOutcome, mode: PlaceChoices['mode']): string {
  const done = { create: 'created', change: 'changed', remove: 'removed' };
  return changes
    .map(({ action, path, diff }) => (mode === 'plan' ? diff : `${done[action]} ${path}\n`))
    .join('');
}

function remarks({ changes, notes }: SetupOutcome, mode: PlaceChoices['mode']): string {
  const state =
    changes.length === 0
      ? 'nothing to change\n'
      : mode === 'plan'
        ? '\nNothing has been changed; the same command with --write does it.\n'
        : '';
  return [state, ...notes.map((note) => `\n${note}\n`)].join('');
}

function refusal({ refused }: SetupOutcome): string {
  const list = refused.map(({ path, reason }) => `  ${path}: ${reason}`).join('\n');
  return `left alone, to be changed by hand:\n${list}`;
}
