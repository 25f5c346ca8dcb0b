import type { Command } from '@commander-js/extra-typings';
import { parsePlatform, type Platform } from '../core/platform.ts';
import type { PrefetchSummary } from '../image/prefetch/event.ts';
import type { Context } from './context.ts';
import { counted } from './evict.ts';
import * as flag from './flags.ts';
import { fetches } from './fetches.ts';
import { Finding } from './output.ts';
import { asUsage, UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover prefetch nginx:1.27 'docker.io/library/redis:7.*'
  layover prefetch --from images.txt --from deploy/ --platform linux/amd64 --platform linux/arm64
  helm template ./chart | layover prefetch --from -
  kubectl get pods -A -o yaml | layover prefetch --dry-run --from -
`;

const several = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
];

const onePlatform = asUsage(parsePlatform);

export function addPrefetch(program: Command, { actions, output, input, interruption }: Context) {
  program
    .command('prefetch')
    .description(
      'Fetches images before anybody asks for them, whole, so that they are there when their upstream is not. Names are those that clients use; * in a tag stands for any characters. Also while the server runs, which then fetches; to leave ends it.',
    )
    .argument('[image...]', 'name:tag, name@digest, or name:1.27.*')
    .addOption(flag.config())
    .addOption(flag.storage())
    .option(
      '--from <file>',
      'fetch the images named in a list, Kubernetes manifests, a compose file or what Helm writes; a folder of those; - is standard input',
      several,
    )
    .option(
      '--platform <os/arch>',
      "of an index, the image for this platform; several, or all (default: this machine's)",
      several,
    )
    .option('--referrers', 'signatures and what else refers to the images, too')
    .option('--max-tags <number>', 'how many tags one pattern may fit', '100')
    .option('--dry-run', 'only tell what would be fetched, and how much that is')
    .option('--json', 'print what happens as JSON, one object a line, sizes in bytes')
    .option('-q, --quiet', 'tell failures only')
    .addHelpText('after', EXAMPLES)
    .action(
      async (images, { from, platform, referrers, maxTags, dryRun, json, quiet, ...more }) => {
        if (images.length === 0 && from === undefined) {
          throw new UsageError('name an image, or a file with --from');
        }
        const mode = dryRun === undefined ? 'fetch' : 'look';
        const { prefetch } = await actions();
        using shown = fetches({ output, mode, form: json ? 'json' : quiet ? 'quiet' : 'text' });
        const summary = await prefetch(
          {
            ...flag.choices(more),
            images,
            files: from ?? [],
            platforms: platformsIn(platform ?? []),
            referrers: referrers === undefined ? 'left-out' : 'copied',
            maxTags: countIn(maxTags),
            mode,
          },
          {
            signal: interruption.listen(),
            input: () => input.text(),
            found: (finding) => shown.found(finding),
            observe: (event) => shown.observe(event),
          },
        );
        shown[Symbol.dispose]();
        if (json !== undefined) output.out(`${JSON.stringify({ type: 'summary', ...summary })}\n`);
        else if (quiet === undefined) output.error(`${told(summary, mode)}\n`);
        const { length } = summary.failures;
        if (length > 0) throw new Finding(`${length} ${length === 1 ? 'image' : 'images'} failed`);
      },
    );
}

function platformsIn(texts: readonly string[]): readonly Platform[] | 'all' {
  if (!texts.includes('all')) return texts.map(onePlatform);
  if (texts.length === 1) return 'all';
  throw new UsageError('--platform all leaves nothing to add');
}

function countIn(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(`--max-tags: not a number: ${text}`);
}

function told({ complete, fetched, held }: PrefetchSummary, mode: 'fetch' | 'look'): string {
  const images = `${complete} ${complete === 1 ? 'image' : 'images'}`;
  const here = `${counted(held)} ${held.blobs === 1 ? 'is' : 'are'} here`;
  if (mode === 'look') return `${images}: would fetch ${counted(fetched)}; ${here}`;
  return `${images}: fetched ${counted(fetched)}; ${counted(held)} ${held.blobs === 1 ? 'was' : 'were'} here`;
}
