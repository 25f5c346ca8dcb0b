import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Finding } from '../../src/setup/doctor/check.ts';
import type { ClientName } from '../../src/setup/proposal.ts';
import { diagnose, type DoctorOptions } from '../../src/setup/doctor/doctor.ts';
import { runner } from '../../src/setup/doctor/run.ts';
import { RootFolder } from '../../src/setup/root-folder.ts';
import { parseMirror } from '../../src/setup/target.ts';
import type { AppOptions } from '../../src/http/app.ts';
import { serve, type Served } from '../http/serve.ts';
import { machine, type Machine } from './world.ts';

export const KNOWN = {
  version: '1.2.3',
  defaultUpstream: 'docker.io',
  upstreams: [
    { host: 'docker.io', aliases: ['index.docker.io'] },
    { host: 'quay.io', aliases: ['q'] },
  ],
};

/** A mirror that runs, and a machine whose clients use it. */
export interface Patient extends AsyncDisposable {
  readonly mirror: Served;
  readonly machine: Machine;
  /** Codes of what the doctor finds, in order; warnings with a question mark behind. */
  findings(client: ClientName, options?: Partial<DoctorOptions>): Promise<readonly string[]>;
  /** The same with all that is told. */
  told(client: ClientName, options?: Partial<DoctorOptions>): Promise<readonly Finding[]>;
}

/** All is well with it, for the clients that are set up. */
export async function patient(
  clients: readonly ClientName[],
  options: Partial<AppOptions> = {},
): Promise<Patient> {
  await using stack = new AsyncDisposableStack();
  const mirror = stack.use(await serve({ known: () => KNOWN, ...options }));
  const here = stack.use(await machine());
  for (const client of clients) {
    const target = { mirror: parseMirror(mirror.url), upstreams: KNOWN.upstreams, ca: undefined };
    await here.setUp(client, 'write', { target, ownConfig: 'edit' });
  }
  const whole = stack.move();
  return {
    mirror,
    machine: here,
    findings: (client, options = {}) =>
      codes({ ...defaults(mirror.url, here.root), client, ...options }),
    told: (client, options = {}) =>
      told({ ...defaults(mirror.url, here.root), client, ...options }),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/** A doctor for a machine that is not this one. */
export function defaults(mirror: string, root: string): DoctorOptions {
  return {
    mirror: parseMirror(mirror),
    ca: undefined,
    given: { root, ca: undefined, upstreams: [] },
    files: new RootFolder(root),
    here: 'another-root',
    environment: {},
    run: runner({}),
    client: undefined,
    upstreams: [],
    socket: undefined,
    server: undefined,
    patience: 2_000,
  };
}

/** Without the warning that nothing was pulled, which every machine but this one has. */
export async function codes(options: DoctorOptions): Promise<readonly string[]> {
  const found = await told(options);
  return found.map(({ code, severity }) => (severity === 'fault' ? code : `${code}?`));
}

async function told(options: DoctorOptions): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for await (const { findings } of diagnose(options)) {
    const kept = ({ code }: Finding): boolean =>
      code !== 'nothing-pulled' || options.here !== 'another-root';
    found.push(...findings.filter(kept));
  }
  return found;
}

/**
 * A client of this machine, in a folder for `PATH`: a program that asks what the JavaScript says, given the
 * registry and the name of the image, and fails.
 */
export async function programNamed(folder: string, name: string, script: string): Promise<string> {
  const file = path.join(folder, name);
  const asking = `const [, host, rest] = /([^/]+)\\/(.*):probe$/.exec(process.argv.at(-1).replace('docker://', '')) ?? [];
if (host === undefined) process.exit(0);
const ask = (path, headers = {}) => fetch(path, { headers });
await (async () => { ${script} })();
console.error('not found');
process.exit(1);`;
  await writeFile(`${file}.mjs`, asking);
  await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${file}.mjs" "$@"\n`);
  await chmod(file, 0o755);
  return folder;
}
