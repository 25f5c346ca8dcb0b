import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { image } from '../../../e2e/lib/image.ts';
import { push as pushImage } from '../../../e2e/lib/push.ts';
import { PROXIES, registry, type Contender, type Proxy } from '../contender.ts';
import { read } from '../read.ts';
import { GB, MB, median, NONE, spread, type Bench, type Row } from '../row.ts';
import type { Blob } from '../tree.ts';
import { settledCpuSeconds } from '../usage.ts';

const CLIENTS = 200;

/** A layer as podman and Docker push it: POST, one PATCH without a length, PUT. */
export async function push(bench: Bench): Promise<readonly Row[]> {
  const blob = await bench.tree.blob(400 * MB, 'push');
  const other = await bench.tree.blob(50 * MB, 'another push');
  const repeats = bench.size === 'quick' ? 2 : 5;
  const seconds: Record<Proxy, number[]> = { layover: [], 'docker-registry': [] };
  const cpu: Record<Proxy, number[]> = { layover: [], 'docker-registry': [] };
  for (let at = 0; at < repeats; at += 1) {
    for (const name of PROXIES) {
      await using server = await registry(bench.scratch, name);
      // What a program compiles at its first request is not counted.
      await pushBlob(server, bench, other);
      const before = await settledCpuSeconds(server.pid);
      const started = performance.now();
      await pushBlob(server, bench, blob);
      seconds[name].push((performance.now() - started) / 1000);
      cpu[name].push(((await settledCpuSeconds(server.pid)) - before) / (blob.size / GB));
      if (at === 0) await read(server, blob, { hash: 'sha256' });
    }
    bench.say(`push: ${at + 1} of ${repeats}`);
  }
  const ratio = (of: Record<Proxy, number[]>): number =>
    median(of.layover) / median(of['docker-registry']);
  return [
    {
      what: 'push of a 400 MB layer: wall time',
      layover: `${spread(seconds.layover, 's')}, synced to the disk`,
      dockerRegistry: spread(seconds['docker-registry'], 's'),
      nginx: NONE,
      ratio: `${ratio(seconds).toFixed(2)} × docker-registry`,
    },
    {
      what: 'the same: server CPU a GB',
      layover: spread(cpu.layover, 's'),
      dockerRegistry: spread(cpu['docker-registry'], 's'),
      nginx: NONE,
      ratio: `${ratio(cpu).toFixed(2)} × docker-registry`,
      target: { text: '≤ 1.25 × docker-registry', met: ratio(cpu) <= 1.25 },
    },
  ];
}

/** Many small images at once, each by a client of its own into a repository of its own. */
export async function pushTogether(bench: Bench): Promise<readonly Row[]> {
  const images = Array.from({ length: CLIENTS }, (_, at) =>
    image({ message: `small ${at}\n`, layers: [4000, 4000] }),
  );
  const seconds: Record<Proxy, number[]> = { layover: [], 'docker-registry': [] };
  const failed: Record<Proxy, number> = { layover: 0, 'docker-registry': 0 };
  const repeats = bench.size === 'quick' ? 1 : 3;
  for (let at = 0; at < repeats; at += 1) {
    for (const name of PROXIES) {
      await using server = await registry(bench.scratch, name);
      const url = `http://127.0.0.1:${server.port}`;
      const started = performance.now();
      const outcomes = await Promise.allSettled(
        images.map((one, index) => pushImage(url, `small/app-${index}`, 'v1', one)),
      );
      seconds[name].push((performance.now() - started) / 1000);
      const there = await Promise.all(images.map((one, index) => has(url, index, one.digest)));
      for (const [index, { status }] of outcomes.entries()) {
        if (status === 'rejected' || there[index] !== true) failed[name] += 1;
      }
      bench.say(`${name}: ${CLIENTS} pushes, ${failed[name]} failed so far`);
    }
  }
  const ratio = median(seconds.layover) / median(seconds['docker-registry']);
  return [
    {
      what: `${CLIENTS} clients push a small image each, at once: until the last one is done`,
      layover: `${spread(seconds.layover, 's')}, synced to the disk`,
      dockerRegistry: spread(seconds['docker-registry'], 's'),
      nginx: NONE,
      ratio: `${ratio.toFixed(2)} × docker-registry`,
    },
    {
      what: 'the same: pushes that failed, or cannot be pulled',
      layover: String(failed.layover),
      dockerRegistry: String(failed['docker-registry']),
      nginx: NONE,
      ratio: NONE,
      target: { text: '0', met: failed.layover === 0 },
    },
  ];
}

async function has(url: string, index: number, digest: string): Promise<boolean> {
  const answer = await fetch(`${url}/v2/small/app-${index}/manifests/v1`, {
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  await answer.arrayBuffer();
  return answer.status === 200 && answer.headers.get('docker-content-digest') === digest;
}

/** @throws Error unless the blob is there afterwards */
async function pushBlob({ port, name }: Contender, bench: Bench, blob: Blob): Promise<void> {
  const base = `http://127.0.0.1:${port}`;
  const begun = await fetch(`${base}/v2/library/bench/blobs/uploads/`, { method: 'POST' });
  await begun.arrayBuffer();
  const location = new URL(begun.headers.get('location') ?? '', base);
  const next = await patch(location, join(bench.tree.root, blob.path));
  const end = new URL(next, base);
  end.searchParams.set('digest', blob.digest);
  const done = await fetch(end, { method: 'PUT' });
  if (done.status !== 201) throw new Error(`${name}: ${done.status} ${await done.text()}`);
}

/** Sends the file without saying how long it is; gives the Location of the answer. */
async function patch(to: URL, file: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sending = request(to, { method: 'PATCH', agent: false }, (response) => {
    response.resume();
    if (response.statusCode === 202) resolve(response.headers.location ?? '');
    else reject(new Error(`PATCH: ${response.statusCode}`));
  });
  sending.on('error', reject);
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), sending);
  return promise;
}
