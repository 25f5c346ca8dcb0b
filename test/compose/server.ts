import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Pulse } from '../../src/core/pulse.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

export type Line = Readonly<Record<string, unknown>>;

export interface ServerOptions {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Below the folder of the test. */
  readonly config?: string;
  /** Puts the text where the configuration is, its folder being there; writes it in place if left out. */
  readonly put?: (file: string, text: string) => Promise<void>;
}

/** The server as people start it, and a configuration that the test changes while it runs. */
export async function server(settings: string, options: ServerOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const at = (...parts: string[]): string => path.join(folder.path, ...parts);
  const file = at(options.config ?? 'layover.yaml');
  const put = options.put ?? ((name: string, text: string) => writeFile(name, text));
  const textOf = (given: string): string =>
    `listen: 127.0.0.1:0\nadmin: { listen: "127.0.0.1:0" }\n${given.includes('storage:') ? '' : `storage: { path: ${at('data')}, minFree: 0 }\n`}${given.replaceAll('FOLDER', folder.path)}`;
  await put(file, textOf(settings));
  const lines: Line[] = [];
  const pulse = new Pulse();
  let child: ChildProcess | undefined;
  let port = 0;

  /** The next line of this kind after so many lines. */
  const told = async (msg: string, after = 0): Promise<Line> => {
    for (;;) {
      const found = lines.slice(after).find((line) => line['msg'] === msg);
      if (found !== undefined) return found;
      if (child?.exitCode !== null && child?.exitCode !== undefined) {
        throw new Error(`it has ended without "${msg}": ${JSON.stringify(lines.slice(-5))}`);
      }
      await pulse.wait();
    }
  };
  const start = async (): Promise<void> => {
    const after = lines.length;
    const args = ['serve', '--config', file, ...(options.flags ?? [])];
    child = spawn(LAUNCHER, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...options.environment },
    });
    child.once('exit', () => pulse.give());
    assert.ok(child.stdout);
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(JSON.parse(line) as Line);
      pulse.give();
    });
    port = Number((await told('serving', after))['port']);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  stack.defer(() => stop('SIGKILL'));
  await start();
  const whole = stack.move();
  const url = (): string => `http://127.0.0.1:${port}`;
  const outcomes = (): number => lines.filter(({ msg }) => isOutcome(msg)).length;

  /** What is told of the next reload that the task gives rise to. */
  const outcome = async (task: () => Promise<void>): Promise<Line> => {
    const before = outcomes();
    await task();
    while (outcomes() === before) await pulse.wait();
    const found = lines.filter(({ msg }) => isOutcome(msg))[before];
    assert.ok(found);
    return found;
  };
  const write = (text: string): Promise<void> => put(file, textOf(text));
  return {
    at,
    file,
    lines,
    told,
    start,
    stop,
    outcome,
    textOf,
    get url() {
      return url();
    },
    get port() {
      return port;
    },
    signal: (name: NodeJS.Signals): void => void child?.kill(name),
    /** Changes the file and waits for what becomes of that. */
    change: (text: string) => outcome(() => write(text)),
    write,
    hangup: () => outcome(async () => void child?.kill('SIGHUP')),
    get: async (where: string) => {
      const response = await fetch(url() + where);
      return { status: response.status, text: await response.text() };
    },
    /** The values of a metric, by its labels. */
    async metric(name: string): Promise<Readonly<Record<string, number>>> {
      const text = await (await fetch(`${url()}/metrics`)).text();
      const found = text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
      return Object.fromEntries(
        found.map((line) => {
          const blank = line.lastIndexOf(' ');
          return [line.slice(name.length, blank), Number(line.slice(blank + 1))];
        }),
      );
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

export type Server = Awaited<ReturnType<typeof server>>;

function isOutcome(msg: unknown): boolean {
  return String(msg).startsWith('configuration ');
}

/** Replaces the file by renaming another one, as editors do. */
export async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}
