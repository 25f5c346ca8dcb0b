import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A process that the suite started; disposing it ends its whole process group. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly exit: Promise<Exit>;
  /** Everything it has printed so far, both streams, in the order in which lines came. */
  lines(): readonly string[];
  /** Resolves with the first line that matches, past or future; rejects when the process ends without one. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  kill(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<Exit>;
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

const groups = new Set<number>();

// A test that is cut short by the runner never reaches its `await using`.
process.on('exit', () => {
  for (const pid of groups) signalGroup(pid, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function launch(command: string, args: readonly string[], options: StartOptions): ChildProcess {
  return spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
}

/** @throws Error when the command cannot be started at all */
export async function start(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Running> {
  const child = launch(command, args, options);
  const exit = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }));
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  groups.add(pid);
  const seen: string[] = [];
  const watchers = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      seen.push(line);
      for (const watcher of watchers) watcher(line);
    });
  }
  const closed = once(child, 'close').then(() => groups.delete(pid));
  const stop = async (signal: NodeJS.Signals): Promise<Exit> => {
    if (groups.has(pid)) signalGroup(pid, signal);
    const ended = await exit;
    // Whatever the leader left behind in its group would keep the pipes open.
    signalGroup(pid, 'SIGKILL');
    await closed;
    return ended;
  };
  return {
    pid,
    exit,
    lines: () => seen,
    until: (pattern) => lineOf(pattern, { command, seen, watchers, closed }),
    kill: (signal) => signalGroup(pid, signal),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop('SIGKILL');
    },
  };
}

interface Output {
  readonly command: string;
  readonly seen: readonly string[];
  readonly watchers: Set<(line: string) => void>;
  readonly closed: Promise<unknown>;
}

async function lineOf(pattern: RegExp, output: Output): Promise<RegExpMatchArray> {
  for (const line of output.seen) {
    const match = line.match(pattern);
    if (match !== null) return match;
  }
  const { promise, resolve, reject } = Promise.withResolvers<RegExpMatchArray>();
  const watcher = (line: string): void => {
    const match = line.match(pattern);
    if (match !== null) resolve(match);
  };
  output.watchers.add(watcher);
  output.closed.then(
    () =>
      reject(
        new Error(
          `${output.command} ended without ${pattern}:\n${output.seen.slice(-20).join('\n')}`,
        ),
      ),
    reject,
  );
  try {
    return await promise;
  } finally {
    output.watchers.delete(watcher);
  }
}

/** Runs to the end, whatever the exit code. */
export async function attempt(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Finished> {
  const child = launch(command, args, options);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  child.once('spawn', () => groups.add(child.pid ?? 0));
  const [code, signal]: [number | null, NodeJS.Signals | null] = await once(child, 'close').then(
    ([code, signal]) => [code, signal],
  );
  groups.delete(child.pid ?? 0);
  return {
    code,
    signal,
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  };
}

/** Runs to the end and returns what went to standard output. @throws Error with the output when it fails */
export async function run(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<string> {
  const done = await attempt(command, args, options);
  if (done.code !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${done.code ?? done.signal}\n${done.stdout}${done.stderr}`,
    );
  }
  return done.stdout;
}
