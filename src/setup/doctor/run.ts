import { spawn } from 'node:child_process';
import { systemCode } from '../../core/errors.ts';
import type { Ran, Run } from './check.ts';

/** Milliseconds for a program that nobody ends. */
const PATIENCE = 30_000;
/** Characters that are kept of what a program says. */
const LONGEST = 1024 * 1024;

/** Runs programs of this machine, without a shell and with nothing to read. */
export function runner(environment: Situated): Run {
  return (command, args, { signal = AbortSignal.timeout(PATIENCE) } = {}) =>
    new Promise<Ran | undefined>((resolve, reject) => {
      const child = spawn(command, [...args], {
        env: { ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
        killSignal: 'SIGKILL',
      });
      let [out, error] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (out.length < LONGEST) out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (error.length < LONGEST) error += text;
      });
      child.on('error', (failure) => {
        if (systemCode(failure) === 'ENOENT' || systemCode(failure) === 'EACCES')
          resolve(undefined);
        else if (!signal.aborted) reject(failure);
      });
      child.on('close', (code) => resolve({ code: code ?? undefined, out, error }));
    });
}

type Situated = Readonly<Record<string, string | undefined>>;
