import { direct, proxy, PROXIES, type Contender } from '../contender.ts';
import { read } from '../read.ts';
import { GB, MB, median, spread, type Bench, type Row } from '../row.ts';
import { settledCpuSeconds } from '../usage.ts';

interface Cost {
  readonly seconds: number[];
  readonly cpu: number[];
}

/** One client, a cold blob, then the same blob warm; nothing is throttled. */
export async function coldAndWarm(bench: Bench): Promise<readonly Row[]> {
  const blob = await bench.tree.blob(400 * MB, 'cold');
  const other = await bench.tree.blob(50 * MB, 'another');
  const repeats = bench.size === 'quick' ? 2 : 5;
  const cold: Record<string, Cost> = {};
  const warm: Record<string, Cost> = {};
  const measure = async (into: Record<string, Cost>, server: Contender): Promise<void> => {
    const before = await settledCpuSeconds(server.pid);
    const [received] = await read(server, blob);
    const used = (await settledCpuSeconds(server.pid)) - before;
    const cost = (into[server.name] ??= { seconds: [], cpu: [] });
    cost.seconds.push((received?.milliseconds ?? Number.NaN) / 1000);
    cost.cpu.push(used / (blob.size / GB));
  };
  // In turns, so that a slow minute of the machine hits all alike.
  for (let at = 0; at < repeats; at += 1) {
    for (const name of PROXIES) {
      await using server = await proxy(bench.scratch, name, bench.upstream.url);
      // The blob is to be cold, not the program: what it compiles at its first request is not counted.
      await read(server, other);
      await measure(cold, server);
      if (at === 0) await read(server, blob, { hash: 'sha256' });
      await measure(warm, server);
    }
    await measure(warm, direct(bench.upstream));
    bench.say(`cold and warm: ${at + 1} of ${repeats}`);
  }
  return [...coldRows(cold, warm), warmRow(warm)];
}

function coldRows(cold: Record<string, Cost>, warm: Record<string, Cost>): Row[] {
  const [ours, theirs, limit] = [cold['layover'], cold['docker-registry'], warm['nginx']];
  const ratio = (of: keyof Cost): number => median(ours?.[of] ?? []) / median(theirs?.[of] ?? []);
  return [
    {
      what: 'cold blob, one client, upstream unlimited: wall time, 400 MB',
      layover: spread(ours?.seconds ?? [], 's'),
      dockerRegistry: spread(theirs?.seconds ?? [], 's'),
      nginx: spread(limit?.seconds ?? [], 's'),
      ratio: `${ratio('seconds').toFixed(2)} × docker-registry`,
      target: { text: 'aim: ≤ 0.50 × docker-registry', met: ratio('seconds') <= 0.5 },
    },
    {
      what: 'the same: server CPU a GB',
      layover: spread(ours?.cpu ?? [], 's'),
      dockerRegistry: spread(theirs?.cpu ?? [], 's'),
      nginx: spread(limit?.cpu ?? [], 's'),
      ratio: `${ratio('cpu').toFixed(2)} × docker-registry`,
      target: { text: 'aim: ≤ 0.50 × docker-registry', met: ratio('cpu') <= 0.5 },
    },
  ];
}

function warmRow(warm: Record<string, Cost>): Row {
  const cpu = (name: string): readonly number[] => warm[name]?.cpu ?? [];
  const ratio = median(cpu('layover')) / median(cpu('docker-registry'));
  return {
    what: 'warm blob: server CPU a GB',
    layover: spread(cpu('layover'), 's'),
    dockerRegistry: spread(cpu('docker-registry'), 's'),
    nginx: spread(cpu('nginx'), 's'),
    ratio: `${ratio.toFixed(2)} × docker-registry`,
    target: { text: '≤ 1 × docker-registry', met: ratio <= 1 },
  };
}
