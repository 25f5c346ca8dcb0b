import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemCode } from '../../../core/errors.ts';
import { homeOf } from '../../../image/logins/credential-files.ts';
import type { Context } from '../../context.ts';
import { told } from '../../told.ts';
import type { Arguments } from '../argparse.ts';
import { Peeked, type PeekedLayer } from './peeked.ts';
import { Refusal } from './target.ts';

/** What a run talks through. */
export interface Desk extends Disposable {
  readonly context: Context;
  readonly values: Arguments['values'];
  readonly signal: AbortSignal;
  readonly peeked: Peeked;
  readonly say: (text: string) => void;
  /** The same for what may be long; settles when more may come. */
  readonly print: (text: string) => Promise<void>;
  /** What `--quiet` leaves out. */
  readonly progress: (text: string) => void;
  readonly error: (text: string) => void;
  /** The answer without its ends; empty when there is nobody to give one. */
  readonly ask: (prompt: string) => Promise<string>;
  readonly again: (layer: PeekedLayer, index: number) => Promise<'read' | 'kept'>;
}

/** @throws Refusal for a log file that cannot be written */
export function deskFor(values: Arguments['values'], context: Context): Desk {
  const { output, input, interruption } = context;
  const log = logTo(values.get('log-file'));
  const say = (text: string): void => {
    output.out(text);
    log(text);
  };
  const error = (text: string): void => {
    output.error(text);
    log(text);
  };
  const peeked = peekedBy(context);
  const ask = async (prompt: string): Promise<string> => {
    const answer = (await input.line(prompt))?.trim() ?? '';
    log(`${prompt}${answer}\n`);
    return answer;
  };
  return {
    context,
    values,
    peeked,
    signal: interruption.listen(),
    async print(text) {
      await output.bytes(Buffer.from(text));
      log(text);
    },
    say,
    error,
    ask,
    progress: (text) => {
      if (!values.has('quiet')) say(text);
    },
    async again({ entries, at }, index) {
      if (values.has('force')) return 'read';
      say(`  Layer ${index} was peeked at ${at}: ${entries} files\n`);
      return isYes(await ask('  Overwrite existing data? [y/N]: ')) ? 'read' : 'kept';
    },
    [Symbol.dispose]: () => peeked[Symbol.dispose](),
  };
}

export function isYes(answer: string): boolean {
  return /^y(?:es)?$/i.test(answer);
}

/** What is kept for this user; where it cannot be, it lasts as long as the run. */
export function peekedBy({ environment, output }: Context): Peeked {
  const caches = environment['XDG_CACHE_HOME'] || path.join(homeOf(environment), '.cache');
  const file = path.join(caches, 'layover', 'peeked.db');
  try {
    return new Peeked(file);
  } catch (error) {
    output.error(`layerslayer: what is peeked is not kept: ${file}: ${told(error)}\n`);
    return new Peeked(':memory:');
  }
}

function logTo(file: string | undefined): (text: string) => void {
  if (file === undefined) return () => {};
  try {
    writeFileSync(file, '');
  } catch (cause) {
    throw new Refusal(`[!] Error: cannot write ${file}: ${systemCode(cause) ?? 'unknown'}`, {
      cause,
    });
  }
  return (text) => appendFileSync(file, text);
}
