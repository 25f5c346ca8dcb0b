import { proxy, PROXIES } from '../contender.ts';
import { read } from '../read.ts';
import { fixed, MB, median, type Bench, type Row } from '../row.ts';

const KB = 1000;

/** How much later than the upstream's the first byte of a cold blob comes, on a fast and a slow line. */
export async function firstByte(bench: Bench): Promise<readonly Row[]> {
  const count = bench.size === 'quick' ? 5 : 20;
  return [
    await on(bench, { what: '4 MB blob, 100 MB/s', rate: 100 * MB, size: 4 * MB, count }),
    await on(bench, { what: '400 kB blob, 1 MB/s', rate: MB, size: 400 * KB, count: count / 2 }),
  ];
}

interface Setting {
  readonly what: string;
  readonly rate: number;
  readonly size: number;
  readonly count: number;
}

async function on(bench: Bench, { what, rate, size, count }: Setting): Promise<Row> {
  await using line = await bench.line(rate);
  const waits: Record<string, number[]> = {};
  const later: Record<string, number[]> = {};
  for (const name of PROXIES) {
    await using server = await proxy(bench.scratch, name, line.url);
    for (let at = 0; at < count; at += 1) {
      const blob = await bench.tree.blob(size, `first byte ${rate} ${name} ${at}`);
      const [straight] = await read({ port: line.port, name: 'nginx' }, blob);
      const [through] = await read(server, blob, { hash: 'sha256' });
      const [one, other] = [
        straight?.firstByteMs ?? Number.NaN,
        through?.firstByteMs ?? Number.NaN,
      ];
      (waits['nginx'] ??= []).push(one);
      (later[name] ??= []).push(other - one);
    }
  }
  const ours = median(later['layover'] ?? []);
  return {
    what: `first byte of a cold blob after the upstream's (${what})`,
    layover: fixed(ours, 'ms', 1),
    dockerRegistry: fixed(median(later['docker-registry'] ?? []), 'ms', 1),
    nginx: `${fixed(median(waits['nginx'] ?? []), 'ms', 1)} after the request`,
    ratio: `worst ${fixed(Math.max(...(later['layover'] ?? [])), 'ms', 1)}`,
    target: { text: '≤ 20 ms', met: ours <= 20 },
  };
}
