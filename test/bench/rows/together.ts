import { proxy, PROXIES } from '../contender.ts';
import { read } from '../read.ts';
import { fixed, MB, median, NONE, spread, type Bench, type Line, type Row } from '../row.ts';
import type { Blob } from '../tree.ts';

const CLIENTS = 8;
const RATE = 100 * MB;

/** One more run that is not timed, for hashing takes time: every client got the blob, byte for byte. */
async function checked(bench: Bench, line: Line, blob: Blob): Promise<void> {
  await using server = await proxy(bench.scratch, 'layover', line.url);
  await read(server, blob, { connections: CLIENTS, hash: 'sha256' });
}

/** Many cold clients of one blob behind a line that all share. */
export async function together(bench: Bench): Promise<readonly Row[]> {
  const size = 400 * MB;
  const blob = await bench.tree.blob(size, 'together');
  await using line = await bench.line(RATE);
  const alone = await read({ port: line.port, name: 'nginx' }, blob);
  const aloneSeconds = (alone[0]?.milliseconds ?? Number.NaN) / 1000;
  const seconds: Record<string, number[]> = {};
  const fetched: Record<string, number[]> = {};
  for (const name of PROXIES) {
    // docker-registry's runs take eight times as long.
    const repeats = bench.size === 'quick' || name === 'docker-registry' ? 1 : 3;
    for (let at = 0; at < repeats; at += 1) {
      await using server = await proxy(bench.scratch, name, line.url);
      const before = await bench.upstream.sent(blob.path);
      const received = await read(server, blob, { connections: CLIENTS });
      const slowest = Math.max(...received.map(({ milliseconds }) => milliseconds)) / 1000;
      const bytes = (await bench.upstream.sent(blob.path)) - before;
      (seconds[name] ??= []).push(slowest);
      (fetched[name] ??= []).push(bytes / size);
      bench.say(
        `${name}: ${slowest.toFixed(2)} s, upstream ${(bytes / size).toFixed(2)} × the blob`,
      );
    }
  }
  await checked(bench, line, blob);
  const ours = median(seconds['layover'] ?? []);
  const theirs = median(seconds['docker-registry'] ?? []);
  const times = median(fetched['layover'] ?? []);
  const dictated = size / RATE;
  return [
    {
      what: `${CLIENTS} cold clients, one 400 MB blob, 100 MB/s upstream: upstream bytes ÷ blob`,
      layover: times.toFixed(3),
      dockerRegistry: median(fetched['docker-registry'] ?? []).toFixed(3),
      nginx: NONE,
      ratio: NONE,
      target: { text: '1.00', met: Math.abs(times - 1) < 0.005 },
    },
    {
      what: 'the same: slowest client',
      layover: spread(seconds['layover'] ?? [], 's'),
      dockerRegistry: spread(seconds['docker-registry'] ?? [], 's'),
      nginx: `${fixed(aloneSeconds, 's')} (one client, the bare line)`,
      ratio: `${(ours / theirs).toFixed(2)} × docker-registry`,
      target: { text: '≤ 0.20 × docker-registry', met: ours <= theirs / 5 },
    },
    {
      what: 'the same: slowest client ÷ what the bandwidth dictates',
      layover: (ours / dictated).toFixed(2),
      dockerRegistry: (theirs / dictated).toFixed(2),
      nginx: (aloneSeconds / dictated).toFixed(2),
      ratio: NONE,
      target: { text: '≤ 1.10', met: ours / dictated <= 1.1 },
    },
  ];
}
