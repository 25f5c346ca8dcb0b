import { cpus, release, totalmem } from 'node:os';
import { attempt } from '../../e2e/lib/process.ts';
import { GB } from './row.ts';

/** What the figures depend on, one line each. */
export async function machine(): Promise<readonly string[]> {
  const [processor] = cpus();
  return [
    `${cpus().length} × ${processor?.model.trim() ?? 'processor'}, ${(totalmem() / GB).toFixed(0)} GB of memory, Linux ${release()}`,
    `Node ${process.versions.node}, docker-registry ${await version('docker-registry', '--version')}, nginx ${await version('nginx', '-v')} (one worker), wrk ${await version('wrk', '-v')}`,
    new Date().toISOString().slice(0, 10),
  ];
}

async function version(command: string, argument: string): Promise<string> {
  const { stdout, stderr } = await attempt(command, [argument]);
  return `${stdout}${stderr}`.match(/\d+\.\d+[.\d]*/)?.[0] ?? 'of unknown version';
}
