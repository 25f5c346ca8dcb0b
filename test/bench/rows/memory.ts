import { proxy, PROXIES, type Proxy } from '../contender.ts';
import { read } from '../read.ts';
import { fixed, GB, MB, NONE, type Bench, type Row } from '../row.ts';
import type { Blob } from '../tree.ts';
import { peakResident } from '../usage.ts';

const SLOW_CLIENTS = 50;
const LIMIT = 250 * MB;

/** Peak resident memory: many slow clients on a cold blob, and a huge blob against a small one. */
export async function memory(bench: Bench): Promise<readonly Row[]> {
  return [await slowClients(bench), await hugeBlob(bench)];
}

async function slowClients(bench: Bench): Promise<Row> {
  const seconds = bench.size === 'quick' ? 10 : 40;
  const blob = await bench.tree.blob(400 * MB, 'memory');
  const peaks: Record<string, number> = {};
  let least = Infinity;
  for (const name of PROXIES) {
    await using server = await proxy(bench.scratch, name, bench.upstream.url);
    const manner = { connections: SLOW_CLIENTS, rate: MB, seconds };
    const received = await read(server, blob, manner);
    peaks[name] = peakResident(server.pid);
    const slowest = Math.min(...received.map(({ bytes }) => bytes)) / MB / seconds;
    if (name === 'layover') least = slowest;
    bench.say(`${name}: ${megabytes(peaks[name])}, slowest client ${slowest.toFixed(2)} MB/s`);
  }
  const ours = peaks['layover'] ?? Number.NaN;
  return {
    what: `${SLOW_CLIENTS} clients at 1 MB/s each on a cold 400 MB blob for ${seconds} s: peak resident`,
    layover: `${megabytes(ours)} (slowest client ${least.toFixed(2)} MB/s)`,
    dockerRegistry: megabytes(peaks['docker-registry'] ?? Number.NaN),
    nginx: NONE,
    ratio: NONE,
    target: { text: '< 250 MB', met: ours < LIMIT && least > 0.9 },
  };
}

async function hugeBlob(bench: Bench): Promise<Row> {
  const size = bench.size === 'quick' ? GB : 5 * GB;
  const small = await bench.tree.zeros(50 * MB);
  const huge = await bench.tree.zeros(size);
  const peak = async (name: Proxy, blob: Blob): Promise<number> => {
    await using server = await proxy(bench.scratch, name, bench.upstream.url);
    await read(server, blob);
    bench.say(`${name}: ${blob.size / MB} MB blob, ${megabytes(peakResident(server.pid))}`);
    return peakResident(server.pid);
  };
  const ours = [await peak('layover', small), await peak('layover', huge)] as const;
  const theirs = [
    await peak('docker-registry', small),
    await peak('docker-registry', huge),
  ] as const;
  const both = ([one, other]: readonly [number, number]): string =>
    `${megabytes(one)} → ${megabytes(other)}`;
  return {
    what: `a cold blob of 50 MB → ${size / GB} GB: peak resident`,
    layover: both(ours),
    dockerRegistry: both(theirs),
    nginx: NONE,
    ratio: `${(ours[1] / ours[0]).toFixed(2)} × the small one`,
    // What the runtime's collector leaves lying about differs by as much from run to run.
    target: { text: 'no more (≤ 1.15 ×)', met: ours[1] / ours[0] <= 1.15 },
  };
}

function megabytes(bytes: number): string {
  return fixed(bytes / MB, 'MB', 0);
}
