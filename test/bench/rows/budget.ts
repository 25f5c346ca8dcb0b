import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Paths } from '../../../src/store/paths.ts';
import { daemon } from '../daemon.ts';
import { fixed, MB, NONE, type Bench, type Row } from '../row.ts';
import type { Blob } from '../tree.ts';
import { peakResident, settledCpuSeconds } from '../usage.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/layover');
const MiB = 1024 * 1024;
const BLOBS = 200;
const SIZE = 2 * MiB;
const BUDGET = (BLOBS * SIZE) / 10;

/** Milliseconds between two looks at the store. */
const SAMPLE = 10;

/** Many cold clients at once, each with a blob of its own, and room for a tenth of all. */
export async function budget(bench: Bench): Promise<readonly Row[]> {
  const blobs: Blob[] = [];
  for (let at = 0; at < BLOBS; at += 1) blobs.push(await bench.tree.blob(SIZE, `budget ${at}`));
  const folder = bench.scratch.at('budget');
  await mkdir(folder);
  const config = join(folder, 'layover.yaml');
  const storage = { path: join(folder, 'store'), maxSize: `${BUDGET / MiB}MiB`, minFree: 0 };
  const listen = '127.0.0.1:0';
  const upstreams = { 'docker.io': { url: bench.upstream.url } };
  await writeFile(config, JSON.stringify({ listen, admin: { listen }, storage, upstreams }));
  const ready = /"port":(\d+).*"msg":"serving"/;
  await using server = await daemon(join(folder, 'log'), ready, [
    LAUNCHER,
    'serve',
    '--config',
    config,
  ]);
  const port = Number(server.ready[1]);
  const before = await settledCpuSeconds(server.pid);
  const done = new AbortController();
  const watching = mostStored(new Paths(storage.path), done.signal);
  const began = performance.now();
  const right = await Promise.all(blobs.map((blob) => served(port, blob)));
  const seconds = (performance.now() - began) / 1000;
  // What is put away behind the answers counts, too.
  const cpu = (await settledCpuSeconds(server.pid)) - before;
  done.abort();
  const { most, looks } = await watching;
  const wrong = right.filter((is) => !is).length;
  const peak = peakResident(server.pid);
  bench.say(`${wrong} wrong answers; at most ${most} of ${BUDGET} bytes in ${looks} looks`);
  return [
    {
      what: `${BLOBS} cold clients at once, as many blobs of 2 MiB, a budget of a tenth: most stored and partial bytes; wrong answers`,
      layover: `${fixed(most / MB, 'MB')} of ${fixed(BUDGET / MB, 'MB')}; ${wrong}`,
      dockerRegistry: NONE,
      nginx: NONE,
      ratio: `${(most / BUDGET).toFixed(3)} × the budget`,
      target: { text: '≤ 1 × the budget, none', met: most <= BUDGET && wrong === 0 },
    },
    {
      what: 'the same: until the last has all; server CPU; peak resident',
      layover: `${fixed(seconds, 's')}; ${fixed(cpu, 's')}; ${fixed(peak / MB, 'MB', 0)}`,
      dockerRegistry: NONE,
      nginx: NONE,
      ratio: NONE,
    },
  ];
}

/** Whether a client gets the blob, byte for byte. */
async function served(port: number, { path, size, digest }: Blob): Promise<boolean> {
  try {
    const sent = request({ port, path, agent: false });
    sent.end();
    const [answer] = await once(sent, 'response');
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of answer) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return answer.statusCode === 200 && bytes === size && `sha256:${hash.digest('hex')}` === digest;
  } catch {
    return false;
  }
}

/** The most bytes of whole and partial blobs that were seen on the disk, whatever the server says. */
async function mostStored(paths: Paths, signal: AbortSignal) {
  // What is renamed between two listings is then in the second, and gone from the first.
  const folders = [paths.ingests, join(paths.blobs, 'sha256')];
  let [most, looks] = [0, 0];
  while (!signal.aborted) {
    const names = folders.flatMap((folder) =>
      readdirSync(folder).map((name) => join(folder, name)),
    );
    const bytes = names.reduce(
      (sum, name) => sum + (statSync(name, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
    most = Math.max(most, bytes);
    looks += 1;
    await delay(SAMPLE);
  }
  return { most, looks };
}
