import { run } from '../../../e2e/lib/process.ts';
import { push } from '../../../e2e/lib/push.ts';
import { dockerRegistry } from '../../../e2e/lib/registry.ts';
import { bare, direct, proxy, PROXIES, type Contender } from '../contender.ts';
import { median, NONE, spread, type Bench, type Row } from '../row.ts';
import { REPOSITORY } from '../tree.ts';
import { cpuSeconds } from '../usage.ts';

interface Speed {
  readonly perSecond: number[];
  /** For each second of the server's CPU: what is left when others use the machine as well. */
  readonly perCpuSecond: number[];
}

/**
 * A warm manifest by tag, by wrk with one thread and 16 connections; the upstream of both proxies is
 * a docker-registry, nginx serves the same manifest as a file.
 */
export async function manifestByTag(bench: Bench): Promise<readonly Row[]> {
  const repeats = bench.size === 'quick' ? 1 : 3;
  const seconds = bench.size === 'quick' ? 3 : 6;
  const speeds: Record<string, Speed> = {};
  // docker-registry asks the upstream at every request, so what the upstream is matters: a registry.
  await using registry = await dockerRegistry(bench.scratch, { name: 'registry' });
  await push(registry.url, REPOSITORY, 'v1', bench.tree.image);
  await using ours = await proxy(bench.scratch, 'layover', registry.url);
  await using theirs = await proxy(bench.scratch, 'docker-registry', registry.url);
  const size = (await (await fetch(urlOf(ours))).arrayBuffer()).byteLength;
  await using limit = await bare(bench.scratch, size);
  const servers = [ours, theirs, direct(bench.upstream), limit];
  for (const server of servers) await wrk(server, 1);
  for (let at = 0; at < repeats; at += 1) {
    for (const server of servers) {
      const before = cpuSeconds(server.pid);
      const { requests, perSecond } = await wrk(server, seconds);
      const used = cpuSeconds(server.pid) - before;
      const speed = (speeds[server.name] ??= { perSecond: [], perCpuSecond: [] });
      speed.perSecond.push(perSecond);
      speed.perCpuSecond.push(requests / used);
      bench.say(`${server.name}: ${perSecond.toFixed(0)} manifests a second`);
    }
  }
  return rows(speeds);
}

function rows(speeds: Record<string, Speed>): Row[] {
  const of = (name: string, kind: keyof Speed): readonly number[] => speeds[name]?.[kind] ?? [];
  const line = (what: string, kind: keyof Speed, target: (row: Ratios) => Row['target']): Row => {
    const ours = median(of('layover', kind));
    const ratios = {
      registry: ours / median(of(PROXIES[1] ?? '', kind)),
      nginx: ours / median(of('nginx', kind)),
    };
    const aim = target(ratios);
    return {
      what,
      layover: spread(of('layover', kind), 'r/s', 0),
      dockerRegistry: spread(of('docker-registry', kind), 'r/s', 0),
      nginx: spread(of('nginx', kind), 'r/s', 0),
      ratio: `${ratios.registry.toFixed(0)} × docker-registry, ${ratios.nginx.toFixed(2)} × nginx`,
      ...(aim === undefined ? {} : { target: aim }),
    };
  };
  return [
    line('warm manifest by tag: requests a second', 'perSecond', ({ registry, nginx }) => ({
      text: '≥ 100 × docker-registry and ≥ 0.33 × nginx',
      met: registry >= 100 && nginx >= 1 / 3,
    })),
    line('the same for each second of server CPU', 'perCpuSecond', () => undefined),
    {
      what: 'the same against bare node:http, one answer from memory: the limit of one process',
      layover: spread(of('layover', 'perSecond'), 'r/s', 0),
      dockerRegistry: NONE,
      nginx: `${spread(of('node:http', 'perSecond'), 'r/s', 0)} (node:http)`,
      ratio: `${(median(of('layover', 'perSecond')) / median(of('node:http', 'perSecond'))).toFixed(2)} × node:http`,
    },
  ];
}

interface Ratios {
  readonly registry: number;
  readonly nginx: number;
}

function urlOf({ port }: Pick<Contender, 'port'>): string {
  return `http://127.0.0.1:${port}/v2/${REPOSITORY}/manifests/v1`;
}

/** @throws Error when an answer was not a success */
async function wrk(
  { port, name }: Contender,
  seconds: number,
): Promise<{ requests: number; perSecond: number }> {
  const url = urlOf({ port });
  const accept = 'Accept: application/vnd.oci.image.manifest.v1+json';
  const output = await run('wrk', ['-t1', '-c16', `-d${seconds}s`, '-H', accept, url]);
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`${name}: ${output}`);
  const requests = Number(output.match(/(\d+) requests in/)?.[1]);
  return { requests, perSecond: Number(output.match(/Requests\/sec: +([\d.]+)/)?.[1]) };
}
