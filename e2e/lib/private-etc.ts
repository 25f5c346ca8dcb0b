import { join } from 'node:path';
import { run, start, type Running } from './process.ts';
import type { Scratch } from './scratch.ts';

/** Programs that see a copy of `/etc` of their own: what they change there is nobody else's. */
export interface PrivateEtc {
  /** Where a file of `/etc` lies outside. */
  at(name: string): string;
  run(command: string, args: readonly string[], env?: Environment): Promise<string>;
  start(command: string, args: readonly string[], env?: Environment): Promise<Running>;
  /** The command line that does it, for who wants the exit code. */
  command(command: string, args: readonly string[]): readonly [string, ...string[]];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Why there can be none; `false` where there can. */
export const noPrivateEtc: string | false =
  process.getuid?.() === 0 ? false : 'a mount namespace needs root';

const SCRIPT = 'mount --bind "$1" /etc; shift; exec "$@"';

/** @param name of the copy */
export async function privateEtc(scratch: Scratch, name: string): Promise<PrivateEtc> {
  const etc = scratch.at(name);
  await run('cp', ['-a', '/etc', etc]);
  const command: PrivateEtc['command'] = (program, args) => {
    const namespace = ['--mount', '--propagation', 'private', '--'];
    return ['unshare', ...namespace, 'sh', '-euc', SCRIPT, 'sh', etc, program, ...args];
  };
  const split = ([first, ...rest]: readonly [string, ...string[]]) => [first, rest] as const;
  return {
    at: (file) => join(etc, file),
    command,
    run: (program, args, env = {}) => run(...split(command(program, args)), { env }),
    start: (program, args, env = {}) => start(...split(command(program, args)), { env }),
  };
}
