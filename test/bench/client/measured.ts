import { attempt } from '../../../e2e/lib/process.ts';

/** What one run of a program cost. */
export interface Cost {
  readonly seconds: number;
  /** User and system time of all its threads and children, s. */
  readonly cpu: number;
  /** The most memory that was resident, bytes. */
  readonly peak: number;
  readonly stdout: string;
}

const FIGURES =
  /^layover-bench (?<seconds>[\d.]+) (?<user>[\d.]+) (?<system>[\d.]+) (?<peak>\d+)$/m;

/** Runs a program to its end under GNU time. @throws Error with its output when it fails */
export async function measured(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<Cost> {
  const began = performance.now();
  const done = await attempt('/usr/bin/time', ['-f', 'layover-bench %e %U %S %M', ...command], {
    env,
  });
  const seconds = (performance.now() - began) / 1000;
  const { user, system, peak } = FIGURES.exec(done.stderr)?.groups ?? {};
  if (done.code !== 0 || peak === undefined) {
    throw new Error(`${command.join(' ')} ended with ${done.code}\n${done.stdout}${done.stderr}`);
  }
  return {
    seconds,
    cpu: Number(user) + Number(system),
    peak: Number(peak) * 1024,
    stdout: done.stdout,
  };
}
