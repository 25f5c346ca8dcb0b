import { Option, type Command } from '@commander-js/extra-typings';
import type { Lacking, Verified } from './actions.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { formatBytes } from './format-bytes.ts';
import { Finding, type Output } from './output.ts';

const EXAMPLES = `
Examples:
  layover verify
  layover verify --storage /var/lib/layover --rate 50MiB
  layover verify --json | jq 'select(.outcome != "ok")'
`;

/** Milliseconds between two drawings of the progress. */
const REDRAWN = 200;

export function addVerify(program: Command, { actions, output }: Context): void {
  program
    .command('verify')
    .description(
      'Reads everything that is stored and holds it against its digest. What is wrong is set aside, to be fetched anew when it is asked for. Then follows every tag and reference of the repositories that live here. Prints what is wrong; exit code 1 if anything is.',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .addOption(
      new Option(
        '--rate <size>',
        'read so much a second at most, such as 50MiB (default: no limit)',
      ),
    )
    .option('--json', 'print one JSON object a line for everything that is stored')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, ...options }) => {
      const pace = options.rate === undefined ? 'full' : 'limited';
      const found = (await actions()).verify({ ...flag.choices(options), pace });
      const { wrong, text } = await report(found, json === undefined ? asText : asJson, output);
      if (wrong > 0) throw new Finding(text);
      output.error(`${text}\n`);
    });
}

type Format = (verified: Verified | Lacking) => string;

const asJson: Format = (found) => `${JSON.stringify(told(found))}\n`;

const asText: Format = (found) => {
  if (found.outcome === 'ok') return '';
  if ('size' in found) return `${found.digest} ${found.outcome} ${found.size}\n`;
  const { repository, digest, outcome, neededBy } = found;
  const why = neededBy === undefined ? '' : ` needed by ${neededBy}`;
  return `${repository} ${digest} ${outcome}${why}\n`;
};

/** In this order. */
function told(found: Verified | Lacking): object {
  if (!('size' in found)) return found;
  const { digest, outcome, size } = found;
  return { digest, outcome, size };
}

interface Report {
  readonly wrong: number;
  readonly text: string;
}

async function report(
  found: AsyncIterable<Verified | Lacking>,
  format: Format,
  output: Output,
): Promise<Report> {
  let [blobs, bytes, wrong, drawn] = [0, 0, 0, performance.now()];
  for await (const verified of found) {
    if ('size' in verified) {
      blobs += 1;
      bytes += verified.size;
    }
    if (verified.outcome !== 'ok') wrong += 1;
    const line = format(verified);
    if (line !== '') output.out(line);
    if (output.watched === 'yes' && performance.now() - drawn >= REDRAWN) {
      drawn = performance.now();
      output.error(`\r\u001b[K${counted(blobs, bytes)}`);
    }
  }
  if (output.watched === 'yes') output.error('\r\u001b[K');
  return {
    wrong,
    text: `${counted(blobs, bytes)}, ${wrong === 0 ? 'all right' : `${wrong} wrong`}`,
  };
}

function counted(blobs: number, bytes: number): string {
  return `${blobs} ${blobs === 1 ? 'blob' : 'blobs'}, ${formatBytes(bytes)} verified`;
}
