import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { startRegistry } from '../../fixtures/registry.ts';
import { daemon, type Daemon } from '../daemon.ts';
import { fixed, MB, NONE, type Bench, type Row } from '../row.ts';
import { peakResident } from '../usage.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/layover');

/** Names that one file may have: file systems limit it. */
const NAMES = 10_000;
const SIZE = 100;
const EVICTED = 10_000;
const CLIENTS = 4;

/** A large store: how soon it is served, what that takes, and what an eviction costs others. */
export async function store(bench: Bench): Promise<readonly Row[]> {
  const blobs = bench.size === 'quick' ? 100_000 : 1_000_000;
  const folder = bench.scratch.at('large');
  await fill(join(folder, 'store'), blobs);
  bench.say(`${blobs} blobs are there`);
  await using registry = await startRegistry();
  registry.addImage('library/x', 'v1', { layers: ['a layer'] });
  const config = join(folder, 'layover.yaml');
  const storage = { path: join(folder, 'store'), minFree: 0, verifyRate: 0, maxSize: '1TiB' };
  const listen = '127.0.0.1:0';
  const upstreams = { 'docker.io': { url: registry.url } };
  writeFileSync(config, JSON.stringify({ listen, admin: { listen }, storage, upstreams }));

  const first = await started(folder, config, 'first');
  await scanned(first);
  const rebuilt = { ...first, peak: peakResident(first.server.pid) };
  await first.server[Symbol.asyncDispose]();
  const again = await started(folder, config, 'again');
  await scanned(again);
  await using _server = again.server;
  const served = { ...again, peak: peakResident(again.server.pid) };
  const [calm, busy] = await evictionBeside(bench, again);
  return [
    row(`${blobs} blobs in the store, index lost: until ready`, rebuilt),
    row(`${blobs} blobs in the store, index at hand: until ready`, served),
    {
      what: `manifests by tag, ${CLIENTS} clients: p99, without → with an eviction of ${EVICTED} blobs`,
      layover: `${fixed(calm, 'ms')} → ${fixed(busy, 'ms')}`,
      dockerRegistry: NONE,
      nginx: NONE,
      ratio: NONE,
    },
  ];
}

interface Served {
  readonly server: Daemon;
  readonly log: string;
  readonly port: number;
  readonly admin: string;
  /** Milliseconds from the start of the process. */
  readonly ready: number;
}

async function started(folder: string, config: string, name: string): Promise<Served> {
  const log = join(folder, `${name}.log`);
  const began = performance.now();
  const pattern = /"port":(\d+).*"admin":"([^"]+)".*"msg":"serving"/;
  const server = await daemon(log, pattern, [LAUNCHER, 'serve', '--config', config]);
  const [, port = '', admin = ''] = server.ready;
  const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
  if (status !== 200) throw new Error(`/readyz is ${status}`);
  return { server, log, port: Number(port), admin, ready: performance.now() - began };
}

/** Settles once everything has been looked through. */
async function scanned({ admin }: Served): Promise<void> {
  await post(admin, '/api/v1/evict', { to: Number.MAX_SAFE_INTEGER });
}

async function post(admin: string, path: string, body: object): Promise<{ blobs?: number }> {
  const headers = { 'content-type': 'application/json' };
  const sent = request(`http://${admin}${path}`, { method: 'POST', headers });
  sent.end(JSON.stringify(body));
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return JSON.parse(text) as { blobs?: number };
}

async function evictionBeside(bench: Bench, { port, admin }: Served): Promise<[number, number]> {
  await fetch(`http://127.0.0.1:${port}/v2/library/x/manifests/v1`);
  const seconds = bench.size === 'quick' ? 2 : 10;
  const ends = performance.now() + seconds * 1000;
  const calm = await latencies(port, () => performance.now() > ends);
  const response = await fetch(`http://${admin}/api/v1/store`);
  const { usedBytes } = (await response.json()) as { usedBytes: number };
  let over = false;
  const evicting = post(admin, '/api/v1/evict', { to: usedBytes - EVICTED * SIZE }).finally(
    () => (over = true),
  );
  const busy = await latencies(port, () => over);
  bench.say(`${(await evicting).blobs} evicted, ${busy.length} manifests meanwhile`);
  return [p99(calm), p99(busy)];
}

/** Milliseconds that each of many requests took, until it is over. */
async function latencies(port: number, over: () => boolean): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true });
  const taken: number[] = [];
  const client = async (): Promise<void> => {
    while (!over()) {
      const began = performance.now();
      const sent = request({ port, agent, path: '/v2/library/x/manifests/v1' });
      sent.end();
      const [answer] = await once(sent, 'response');
      for await (const _chunk of answer);
      taken.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  agent.destroy();
  return taken;
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
}

/** Small blobs by the hundred thousand: names of a few files, whose content nobody asks for. */
async function fill(path: string, blobs: number): Promise<void> {
  const folder = join(path, 'blobs/sha256');
  mkdirSync(folder, { recursive: true });
  let file = '';
  for (let count = 0; count < blobs; count += 1) {
    const name = join(folder, randomBytes(32).toString('hex'));
    if (count % NAMES === 0) writeFileSync((file = name), randomBytes(SIZE));
    else linkSync(file, name);
    if (count % 1000 === 0) await setImmediate();
  }
}

function row(
  what: string,
  { ready, peak }: { readonly ready: number; readonly peak: number },
): Row {
  return {
    what: `${what}; peak resident once looked through`,
    layover: `${fixed(ready / 1000, 's')}; ${fixed(peak / MB, 'MB', 0)}`,
    dockerRegistry: NONE,
    nginx: NONE,
    ratio: NONE,
    target: { text: '< 3 s, < 300 MB', met: ready < 3000 && peak < 300 * MB },
  };
}
