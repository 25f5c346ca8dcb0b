import type { Context } from '../../context.ts';
import { opening } from '../../opening.ts';
import { told } from '../../told.ts';
import { helpOf, usageOf } from '../argparse-help.ts';
import { ArgumentError, parseArguments, type Arguments, type Grammar } from '../argparse.ts';
import { HINTS } from '../hints.ts';
import { requestsBundle } from '../requests-bundle.ts';
import { deskFor, type Desk } from './desk.ts';
import { FSLOG, GRAMMAR, SEARCH } from './grammar.ts';
import { readTarget, Refusal, targetName } from './target.ts';
import { carveFrom, isUnauthorized, walk } from './walk.ts';

const EXAMPLE = 'moby/buildkit:latest';
const PROMPT = `Enter image (user/repo:tag) [example: ${EXAMPLE}]: `;
const MODES = ['peek-all', 'peek-layer', 'save-all', 'bulk-peek', 'carve-file', 'interactive'];

type Run = (parsed: Arguments, context: Context) => Promise<number>;

/** layerslayer's command line, and those of its log viewer as subcommands. */
export async function layerslayer(line: readonly string[], context: Context): Promise<number> {
  const [first, ...rest] = line;
  switch (first) {
    case 'fslog':
      return await spoken(FSLOG, rest, context, async (parsed) => {
        return (await import('./fslog.ts')).fslog(parsed, context);
      });
    case 'fslog-search':
      return await spoken(SEARCH, rest, context, async (parsed) => {
        return (await import('./fslog.ts')).fslogSearch(parsed, context);
      });
    default:
      return await spoken(GRAMMAR, line, context, explore);
  }
}

async function spoken(
  grammar: Grammar,
  line: readonly string[],
  context: Context,
  run: Run,
): Promise<number> {
  const { output, interruption } = context;
  try {
    const parsed = parseArguments(grammar, line);
    if (parsed !== undefined) return await run(parsed, context);
    output.out(helpOf(grammar));
    return 0;
  } catch (error) {
    if (interruption.aborted) throw error;
    if (error instanceof ArgumentError) {
      output.error(`${usageOf(grammar)}${grammar.program}: error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof Refusal) output.error(`${error.message}\n`);
    else output.error(`[!] Error: ${told(error)}\n`);
    return 1;
  }
}

async function explore(parsed: Arguments, context: Context): Promise<number> {
  const { values } = parsed;
  if (values.has('api')) return await (await import('./serve.ts')).serveApi(values, context);
  if (!MODES.some((mode) => values.has(mode))) {
    context.output.out(helpOf(GRAMMAR));
    return 0;
  }
  using desk = deskFor(values, context);
  try {
    return await explored(desk);
  } catch (error) {
    // For the log: everybody else is told by whoever gets the error.
    if (!(error instanceof Refusal) || context.interruption.aborted) throw error;
    desk.error(`${error.message}\n`);
    return 1;
  }
}

async function explored(desk: Desk): Promise<number> {
  const { values, context, signal } = desk;
  const text = values.get('target-image') ?? ((await desk.ask(PROMPT)) || EXAMPLE);
  const reference = readTarget(text, values.get('registry'));
  const connection = { quiet: true, ...requestsBundle(context) } as const;
  await using client = await opening(connection, context, { signal, hints: HINTS.layerslayer });
  await using opened = await client.open({ kind: 'registry', reference });
  const file = values.get('carve-file');
  try {
    if (file !== undefined) return await carveFrom(opened, file, desk);
    await walk(opened, targetName(reference), desk);
    return 0;
  } catch (cause) {
    if (!isUnauthorized(cause)) throw cause;
    throw new Refusal(`X Error: Unauthorized fetching manifest for ${text}`, { cause });
  }
}
