import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Told } from './child.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** A process that fetches a blob through a cache and tells how it gets on; see `child.ts`. */
export interface Fetcher extends AsyncDisposable {
  readonly process: ChildProcess;
  /** The first of what it tells, or told, that is enough. */
  told<K extends keyof Told>(
    what: K,
    enough?: (value: NonNullable<Told[K]>) => boolean,
  ): Promise<NonNullable<Told[K]>>;
  kill(): Promise<void>;
}

/** @param options the flags of `child.ts` */
export function fetcher(options: Readonly<Record<string, string | number>>): Fetcher {
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = fork(CHILD, flags, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const messages: Told[] = [];
  child.on('message', (message: Told) => messages.push(message));
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    process: child,
    kill,
    told: async (what, enough = () => true) => {
      for (;;) {
        for (const message of messages) {
          const value = message[what];
          if (value !== undefined && enough(value)) return value;
        }
        await Promise.race([
          once(child, 'message'),
          exited.then(([code]) => {
            // What was sent before the end is there by now.
            if (!messages.some((message) => message[what] !== undefined))
              throw new Error(`ended with ${code}`);
          }),
        ]);
      }
    },
    [Symbol.asyncDispose]: kill,
  };
}
