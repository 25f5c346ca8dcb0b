import type { ClientName } from '../proposal.ts';
import { get } from '../request.ts';
import type { Check, Finding, Report, Situation } from './check.ts';
import { budget } from './checks/budget.ts';
import { buildkit } from './checks/buildkit.ts';
import { certificates, type Held } from './checks/certificates.ts';
import { clock } from './checks/clock.ts';
import { containerd } from './checks/containerd.ts';
import { disk, type Storage } from './checks/disk.ts';
import { docker } from './checks/docker.ts';
import { k3s } from './checks/k3s.ts';
import { podman } from './checks/podman.ts';
import { proxy } from './checks/proxy.ts';
import { nothingPulled, pulls } from './checks/pulls.ts';
import { reach, type Reached } from './checks/reach.ts';
import { trust } from './checks/trust.ts';
import { upstreams, type Askable } from './checks/upstreams.ts';

/** What is known of the mirror where its configuration is at hand. */
export interface ServerSide {
  readonly storage: Storage;
  readonly upstreams: readonly Askable[];
  /** Those of the configuration. */
  readonly certificates: readonly Held[];
}

export interface DoctorOptions extends Omit<Situation, 'known' | 'upstreams' | 'chosen'> {
  /** `undefined`: those that are on this machine. */
  readonly client: ClientName | undefined;
  /** Registries whose pulls should arrive; empty: all that the mirror has. */
  readonly upstreams: readonly string[];
  readonly server: ServerSide | undefined;
}

/** A check that was made. */
export interface Checked extends Report {
  readonly check: string;
  readonly state: 'well' | 'warning' | 'fault';
}

const CLIENT_CHECKS = { containerd, docker, podman, buildkit, k3s } as const satisfies Record<
  ClientName,
  Check
>;

/** Makes every check that there is something to look at for, one after the other. */
export async function* diagnose(options: DoctorOptions): AsyncGenerator<Checked> {
  const { server } = options;
  const reached = await reach(options);
  yield checked('mirror', reached);
  if (reached.known !== undefined) yield* ofMirror(options, reached);
  if (server !== undefined) yield* ofServer(server);
  const known = reached.known?.upstreams.map(({ host }) => host) ?? [];
  const meant = options.upstreams.length > 0 ? options.upstreams : known;
  const chosen = options.client === undefined ? 'found' : 'named';
  const situation: Situation = { ...options, known: reached.known, upstreams: meant, chosen };
  const clients = await clientsOf(options);
  if (clients.length === 0) {
    const why = `there is no client ${options.here === 'this-machine' ? 'on this machine' : 'in these files'}`;
    const mend = 'run it on a machine that pulls, or name the client with --client';
    yield checked('clients', nothingPulled('clients', { why, mend, possible: 'never' }, situation));
  }
  for (const client of clients) {
    const found: Finding[] = [];
    for (const check of [CLIENT_CHECKS[client], trust(client), proxy(client)]) {
      const report = await check.run(situation);
      if (report === undefined) continue;
      yield checked(nameOf(check, client), report);
      found.push(...report.findings);
    }
    // A mirror that cannot be asked cannot tell what arrived.
    if (reached.known === undefined) continue;
    const check = pulls(client, found);
    const report = await check.run(situation);
    if (report !== undefined) yield checked(nameOf(check, client), report);
  }
}

async function* ofMirror(
  { mirror, ca, patience: timeout }: DoctorOptions,
  { answer }: Reached,
): AsyncGenerator<Checked> {
  if (answer === undefined) return;
  const now = Date.now();
  const clocks = clock(answer, now);
  if (clocks !== undefined) yield checked('clock', clocks);
  const { certificate } = answer;
  if (certificate?.raw !== undefined) {
    const pem = `-----BEGIN CERTIFICATE-----\n${certificate.raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const shown = certificates(
      [
        {
          what: `what ${mirror.authority} shows`,
          pem,
          at: { server: `${new URL(mirror.url).hostname}:${mirror.port}` },
        },
      ],
      now,
    );
    if (shown !== undefined) yield checked('certificates', shown);
  }
  const metrics = await get(`${mirror.url}/metrics`, { ca, timeout });
  yield checked('budget', budget(metrics.body));
}

async function* ofServer(server: ServerSide): AsyncGenerator<Checked> {
  const asked = await upstreams(server.upstreams);
  if (asked !== undefined) yield checked('upstreams', asked);
  const held = certificates(server.certificates, Date.now());
  if (held !== undefined) yield checked('certificates', held);
  yield checked('disk', await disk(server.storage));
}

/** Those that somebody has set up or installed on this machine. */
async function clientsOf({
  client,
  files,
  here,
  run,
}: DoctorOptions): Promise<readonly ClientName[]> {
  if (client !== undefined) return [client];
  const found: ClientName[] = [];
  const signs: Readonly<Record<ClientName, readonly [folder: string, program: string]>> = {
    containerd: ['/etc/containerd', 'containerd'],
    docker: ['/etc/docker', 'dockerd'],
    podman: ['/etc/containers', 'podman'],
    buildkit: ['/etc/buildkit', 'buildkitd'],
    k3s: ['/etc/rancher/k3s', 'k3s'],
  };
  for (const name of Object.keys(signs) as ClientName[]) {
    const [folder, program] = signs[name];
    const settled = (await files.list(folder)).length > 0;
    const installed =
      settled || (here === 'this-machine' && (await run(program, ['--version']))?.code === 0);
    if (installed) found.push(name);
  }
  return found;
}

function nameOf({ name }: Check, client: ClientName): string {
  return name === client ? name : `${client} ${name}`;
}

function checked(check: string, { looked, findings }: Report): Checked {
  return { check, looked, findings, state: stateOf(findings) };
}

function stateOf(findings: readonly Finding[]): Checked['state'] {
  if (findings.length === 0) return 'well';
  return findings.some(({ severity }) => severity === 'fault') ? 'fault' : 'warning';
}
