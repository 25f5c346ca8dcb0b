import type { Command } from '@commander-js/extra-typings';
import type { Share, UsageReport } from '../store/inventory/usage.ts';
import { columns } from './columns.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { formatBytes } from './format-bytes.ts';

const EXAMPLES = `
Examples:
  layover usage
  layover usage --storage /var/lib/layover --json
`;

export function addUsage(program: Command, { actions, output }: Context): void {
  program
    .command('usage')
    .description(
      'Tells where the bytes of the store are, by upstream and repository: exclusive ones would go with it, shared ones others have as well.',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .option('--json', 'print one JSON object, sizes in bytes')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, ...options }) => {
      const report = await (await actions()).upkeep.usage(flag.choices(options));
      output.out(json === undefined ? asText(report) : `${JSON.stringify(report)}\n`);
    });
}

function asText({ total, kept, unlinked, upstreams, repositories }: UsageReport): string {
  const sums = [
    ['stored', total],
    ['never evicted', kept],
    ['of no cached repository', unlinked],
  ] as const;
  const rows = (name: string, shares: readonly (readonly [string, Share])[]) => [
    [name, 'BLOBS', 'SIZE', 'EXCLUSIVE', 'SHARED'],
    ...shares.map(([label, { blobs, bytes, exclusive, shared }]) => [
      label,
      `${blobs}`,
      formatBytes(bytes),
      formatBytes(exclusive),
      formatBytes(shared),
    ]),
  ];
  const align = ['left', 'right', 'right', 'right', 'right'] as const;
  return [
    columns(
      sums.map(([label, { blobs, bytes }]) => [label, `${blobs} blobs`, formatBytes(bytes)]),
      ['left', 'right', 'right'],
    ),
    columns(
      rows(
        'UPSTREAM',
        upstreams.map((one) => [one.upstream, one]),
      ),
      align,
    ),
    columns(
      rows(
        'REPOSITORY',
        repositories.map((one) => [`${one.upstream}/${one.repository}`, one]),
      ),
      align,
    ),
  ].join('\n');
}
