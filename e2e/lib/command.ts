import { join } from 'node:path';
import { run, attempt, type Finished } from './process.ts';

const BIN = join(import.meta.dirname, '../../bin');

export type Program = 'layover' | 'imgpull' | 'crpy' | 'crget' | 'layerslayer';

/** The programs of this project with a home, logins and cache of their own. */
export interface Command {
  readonly env: Readonly<Record<string, string>>;
  /** What it prints. @throws Error with the output when it fails */
  run(program: Program, ...args: readonly string[]): Promise<string>;
  attempt(program: Program, ...args: readonly string[]): Promise<Finished>;
}

/** @param folder exists, and is the working directory too */
export function commandIn(folder: string, env: Readonly<Record<string, string>> = {}): Command {
  const whole = {
    HOME: folder,
    XDG_CACHE_HOME: join(folder, 'cache'),
    DOCKER_CONFIG: join(folder, 'docker'),
    ...env,
  };
  const options = { cwd: folder, env: whole };
  return {
    env: whole,
    run: (program, ...args) => run(join(BIN, program), args, options),
    attempt: (program, ...args) => attempt(join(BIN, program), args, options),
  };
}
