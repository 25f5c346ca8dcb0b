import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A server under measurement: its output goes to a file, so that reading it costs nobody anything. */
export interface Daemon extends AsyncDisposable {
  readonly pid: number;
  readonly ready: RegExpMatchArray;
}

const START_WITHIN = 20_000;
const running = new Set<number>();

process.on('exit', () => {
  for (const pid of running) process.kill(pid, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** @throws Error when it ends, or 20 s pass, before its output matches `ready` */
export async function daemon(
  output: string,
  ready: RegExp,
  [command, ...args]: readonly [string, ...string[]],
): Promise<Daemon> {
  const file = openSync(output, 'w');
  const child = spawn(command, args, {
    stdio: ['ignore', file, file],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  closeSync(file);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  running.add(pid);
  const ended = once(child, 'exit').then(() => running.delete(pid));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(late);
  };
  const deadline = performance.now() + START_WITHIN;
  while (running.has(pid) && performance.now() < deadline) {
    const match = readFileSync(output, 'utf8').match(ready);
    if (match !== null) return { pid, ready: match, [Symbol.asyncDispose]: stop };
    await delay(20);
  }
  await stop();
  throw new Error(`${command} did not start:\n${readFileSync(output, 'utf8')}`);
}
