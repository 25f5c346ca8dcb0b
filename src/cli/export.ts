import { Option, type Command } from '@commander-js/extra-typings';
import { parsePlatform, type Platform } from '../core/platform.ts';
import { identitiesOf, isStream } from '../image/archive/target.ts';
import type { Exported } from '../image/bundle/export.ts';
import type { Context } from './context.ts';
import { counted } from './evict.ts';
import * as flag from './flags.ts';
import { formatBytes } from './format-bytes.ts';
import { notBoth } from './standard-output.ts';
import { transfer } from './transfer.ts';
import { asUsage, UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover export nginx:1.27 -o nginx.tar
  layover export --platform linux/amd64 'docker.io/library/redis:7.*' 'ghcr.io/team/**' -o all.tar
  layover export --since all.tar.lock.json 'ghcr.io/team/**' -o newer.tar
`;

export function addExport(program: Command, { actions, output, interruption }: Context): void {
  program
    .command('export')
    .description(
      'Writes what is stored of images into one OCI archive, with exactly what belongs to them, and a lock that lists all of it. What is wanted and not stored is an error. Also while the server runs.',
    )
    .argument('<pattern...>', 'registry/name:tag; * is any part of a name, ** any parts')
    .requiredOption(
      '-o, --output <file>',
      'the archive; it appears when it is whole; - is standard output',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .addOption(
      new Option(
        '--platform <os/arch>',
        'of an index, the image for this platform; several, or all (default: those that are stored)',
      ).argParser(several),
    )
    .option('--referrers', 'signatures and what else refers to the images: all, or it is an error')
    .option('--no-referrers', 'without them (default: those that are stored)')
    .option(
      '--lock <file>',
      'where the lock goes (default: beside the archive, .lock.json; of standard output or a pipe nowhere else)',
    )
    .option('--since <file>', 'only what is not in this bundle, or in the one with this lock')
    .option('--json', 'print what was exported as JSON')
    .option('-q, --quiet', 'tell failures only')
    .addHelpText('after', EXAMPLES)
    .action(async (patterns, { platform, referrers, lock, json, quiet, since, ...more }) => {
      const file = more.output;
      if (json !== undefined) notBoth({ kind: 'oci-archive', file });
      const beside = file === '-' || (await isStream(file)) ? undefined : `${file}.lock.json`;
      const locked = lock ?? beside;
      const archive = file === '-' ? '/dev/stdout' : file;
      await refuseOneFile({ 'the archive': archive, 'its lock': locked, '--since': since });
      const { bundles } = await actions();
      using shown = transfer({ output, label: file === '-' ? 'standard output' : file, quiet });
      const exported = await bundles.export({
        ...flag.choices(more),
        patterns,
        output: file,
        stdout: (bytes) => output.bytes(bytes),
        lock: locked,
        since,
        platforms: platformsIn(platform),
        referrers: referrers === undefined ? 'stored' : referrers ? 'all' : 'none',
        begin: (bytes) => shown.begin(bytes),
        progress: (bytes) => shown.add(bytes),
        signal: interruption.listen(),
      });
      shown.end(told(exported));
      if (json !== undefined) output.out(`${JSON.stringify(asJson(exported))}\n`);
    });
}

/** What is written must neither be written over nor take the place of what is read. @throws UsageError */
async function refuseOneFile(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  const seen = new Map<string, string>();
  for (const [what, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const identities = await identitiesOf(file);
    const other = identities.map((one) => seen.get(one)).find((one) => one !== undefined);
    if (other !== undefined) {
      throw new UsageError(`${other} and ${what} are the same file: ${file}`);
    }
    for (const one of identities) seen.set(one, what);
  }
}

function several(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',')];
}

const onePlatform = asUsage(parsePlatform);

function platformsIn(texts: readonly string[] | undefined): 'stored' | 'all' | readonly Platform[] {
  if (texts === undefined) return 'stored';
  if (!texts.includes('all')) return texts.map(onePlatform);
  if (texts.length === 1) return 'all';
  throw new UsageError('--platform all leaves nothing to add');
}

function told({ lock: { images, content }, bytes }: Exported): string {
  const own = content.filter((one) => one.in === 'bundle');
  const sum = own.reduce((total, { size }) => total + size, 0);
  const base = content.length - own.length;
  const rest = base === 0 ? '' : `, ${base} more in the bundle before`;
  const left = images.reduce((total, { leftOut }) => total + leftOut.length, 0);
  const without = left === 0 ? '' : `; left out: ${left}, which the lock lists`;
  const what = `${images.length} ${images.length === 1 ? 'image' : 'images'}`;
  const all = counted({ blobs: own.length, bytes: sum });
  return `${what}: ${all}${rest}, ${formatBytes(bytes)} in all${without}`;
}

function asJson({ lock, bytes }: Exported) {
  return { bytes, ...lock };
}
