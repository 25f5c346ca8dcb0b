import type { Command } from '@commander-js/extra-typings';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { opening } from './opening.ts';

const EXAMPLES = `
Examples:
  layover tags quay.io/prometheus/node-exporter
  layover tags --ns docker.io localhost:8080/library/alpine
  layover tags oci:./folder
`;

export function addTags(program: Command, context: Context): void {
  connecting(program.command('tags'))
    .description('Prints the tags of a repository, one a line, however many pages they take.')
    .argument('<repository>', 'such as docker.io/library/alpine, or a place such as oci:FOLDER')
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (name, { json, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(name);
      const { items } = await opened.source.tags(opened.repository);
      if (json === true) context.output.out(`${JSON.stringify(items)}\n`);
      else context.output.out(items.map((tag) => `${tag}\n`).join(''));
    });
}
