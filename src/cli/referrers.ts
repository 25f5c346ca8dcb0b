import type { Command } from '@commander-js/extra-typings';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Opened } from '../image/opened.ts';
import { printableName } from '../layer/name.ts';
import { location } from './arguments.ts';
import { columns } from './columns.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { manifestAt } from './image.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';

const EXAMPLES = `
Examples:
  layover referrers ghcr.io/owner/app:1.2
  layover referrers --type application/spdx+json ghcr.io/owner/app:1.2
  layover referrers --tree --platform linux/amd64 ghcr.io/owner/app:1.2
`;

/** What refers to something, and what refers to that. */
interface Node extends Descriptor {
  readonly referrers?: readonly Node[];
}

/** How deep a tree is followed: referrers may be anybody's. */
const DEEPEST = 8;

export function addReferrers(program: Command, context: Context): void {
  connecting(program.command('referrers'))
    .description('Prints what refers to an image: signatures, attestations, bills of materials.')
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .addOption(platform('of an index, what refers to the image for this platform'))
    .option('--type <type>', 'only referrers of this artifact type')
    .option('--tree', 'what refers to the referrers as well, as a tree')
    .option('--json', 'print a JSON array of descriptors')
    .addHelpText('after', EXAMPLES)
    .action(async (image, { json, tree, type, platform, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(image);
      const { descriptor } =
        platform === undefined
          ? await opened.source.resolve(opened.repository, opened.at)
          : await manifestAt(opened, platform);
      const { items } = await opened.source.referrers(opened.repository, descriptor.digest);
      const wanted = items.filter(
        ({ artifactType }) => type === undefined || artifactType === type,
      );
      const nodes = tree === true ? await grown(opened, wanted, [descriptor.digest]) : wanted;
      const { output } = context;
      if (json === true) output.out(formatted(nodes));
      else if (tree === true) output.out(`${descriptor.digest}\n${branches(nodes)}`);
      else if (nodes.length > 0) output.out(asTable(nodes));
      if (nodes.length === 0 && connection.quiet !== true) {
        output.error(`nothing${type === undefined ? '' : ' of that type'} refers to it\n`);
      }
    });
}

/** @param path what led here: whoever refers to one of those is told once */
async function grown(
  opened: Opened,
  found: readonly Descriptor[],
  path: readonly Digest[],
): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  for (const descriptor of found) {
    const { digest } = descriptor;
    const ends = path.includes(digest) || path.length >= DEEPEST;
    const { items } = ends
      ? { items: [] }
      : await opened.source.referrers(opened.repository, digest);
    const referrers = await grown(opened, items, [...path, digest]);
    nodes.push(referrers.length === 0 ? descriptor : { ...descriptor, referrers });
  }
  return nodes;
}

function asTable(nodes: readonly Node[]): string {
  const rows = nodes.map(({ artifactType, digest, size, annotations }) => [
    artifactType ?? '-',
    digest,
    formatBytes(size),
    annotations?.['org.opencontainers.image.created'] ?? '-',
  ]);
  return columns(
    [['TYPE', 'DIGEST', 'SIZE', 'CREATED'], ...rows].map((row) => row.map(printableName)),
    ['left', 'left', 'right'],
  );
}

function branches(nodes: readonly Node[], indent = ''): string {
  return nodes
    .map(({ artifactType, digest, referrers = [] }, index) => {
      const last = index === nodes.length - 1;
      const line = `${indent}${last ? '└── ' : '├── '}${printableName(artifactType ?? '-')} ${digest}\n`;
      return line + branches(referrers, `${indent}${last ? '    ' : '│   '}`);
    })
    .join('');
}
