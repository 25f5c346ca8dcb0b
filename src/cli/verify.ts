import { Option, type Command } from '@commander-js/extra-typings';
import { Finding, type Actions, type Output, type Verified } from './actions.ts';
import * as flag from './flags.ts';

const EXAMPLES = `
Examples:
  layover verify
  layover verify --storage /var/lib/layover --rate 50MiB
  layover verify --json | jq 'select(.outcome != "ok")'
`;

/** Milliseconds between two drawings of the progress. */
const REDRAWN = 200;

export function addVerify(program: Command, actions: Actions, output: Output): void {
  program
    .command('verify')
    .summary('check everything that is stored')
    .description(
      'Reads everything that is stored and holds it against its digest. What is wrong is set aside, to be fetched anew when it is asked for. Prints what is wrong; exit code 1 if anything is.',
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
      const found = actions.verify({ ...flag.choices(options), pace });
      const { wrong, text } = await report(found, json === undefined ? asText : asJson, output);
      if (wrong > 0) throw new Finding(text);
      output.error(`${text}\n`);
    });
}

type Format = (verified: Verified) => string;

const asJson: Format = ({ digest, outcome, size }) =>
  `${JSON.stringify({ digest, outcome, size })}\n`;

const asText: Format = ({ digest, outcome, size }) =>
  outcome === 'ok' ? '' : `${digest} ${outcome} ${size}\n`;

interface Report {
  readonly wrong: number;
  readonly text: string;
}

async function report(
  found: AsyncIterable<Verified>,
  format: Format,
  output: Output,
): Promise<Report> {
  let [blobs, bytes, wrong, drawn] = [0, 0, 0, performance.now()];
  for await (const verified of found) {
    blobs += 1;
    bytes += verified.size;
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

/** Three figures at most, for people. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`;
}
