import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf, parseDigest } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { diskLinks } from '../../../src/store/links.ts';
import { Paths } from '../../../src/store/paths.ts';
import { confirmed, diskTags } from '../../../src/store/tags.ts';
import { measured, type Cost } from '../client/measured.ts';
import { daemon } from '../daemon.ts';
import { fixed, GB, MB, NONE, type Bench, type Row } from '../row.ts';
import { peakResident } from '../usage.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/layover');
const REPOSITORY = { host: 'docker.io', path: 'library/heavy' };
const CHUNK = 16 * MB;
const MEMORY = 200 * MB;

/** Export and import of an image with many layers, beside copying a file of that size. */
export async function carry(bench: Bench): Promise<readonly Row[]> {
  const [layers, size] = bench.size === 'quick' ? [40, 50 * MB] : [100, 100 * MB];
  const folder = bench.scratch.at('carry');
  mkdirSync(folder, { recursive: true });
  await fill(new Paths(join(folder, 'from')), layers, size);
  const bundle = join(folder, 'bundle.tar');
  for (const name of ['from', 'to', 'served']) configure(folder, name);
  bench.say(`${layers} layers of ${size / MB} MB are there`);

  const exporting = (to: string) => (): Promise<Cost> =>
    layover(['export', '-q', 'heavy:v1', '-o', to, '--config', join(folder, 'from.yaml')]);
  await exporting(bundle)();
  const bytes = statSync(bundle).size;
  const another = join(folder, 'another.tar');
  const before = await timed(bundle, () => copy(bundle, another));
  rmSync(another);
  const exported = await timed(bundle, exporting(another));
  rmSync(another);
  const alone = await timed(bundle, () =>
    layover(['import', '-q', bundle, '--config', join(folder, 'to.yaml')]),
  );
  rmSync(join(folder, 'to'), { recursive: true });
  const through = await throughServer(folder, bundle);
  rmSync(join(folder, 'served'), { recursive: true });
  const after = await timed(bundle, () => copy(bundle, another));
  const copied = { seconds: (before.seconds + after.seconds) / 2, peak: 0 };
  rmSync(folder, { recursive: true });
  const what = `${fixed(bytes / GB, 'GB', 0)} in ${layers} layers`;
  return [
    row(`export of ${what}`, bytes, exported, copied),
    row(`import of ${what}`, bytes, alone, copied),
    row(`import of ${what} through a server, whose memory is meant`, bytes, through, copied),
  ];
}

interface Timed {
  readonly seconds: number;
  /** Bytes. */
  readonly peak: number;
}

/**
 * What everything begins with: nothing left to be written, and a file of that size just gone. Memory that a
 * virtual machine's host has to give first costs more than the rest of a copy; what has just been let go of
 * is at hand.
 */
async function timed(bundle: string, task: () => Promise<Cost | void>): Promise<Timed> {
  const gone = `${bundle}.gone`;
  await copy(bundle, gone);
  rmSync(gone);
  execFileSync('sync');
  const began = performance.now();
  const done = await task();
  return { seconds: (performance.now() - began) / 1000, peak: done?.peak ?? 0 };
}

async function copy(from: string, to: string): Promise<void> {
  rmSync(to, { force: true });
  execFileSync('cp', ['--reflink=never', from, to]);
  execFileSync('sync', [to]);
}

function layover(line: readonly string[]): Promise<Cost> {
  return measured([LAUNCHER, ...line], {});
}

async function throughServer(folder: string, bundle: string): Promise<Timed> {
  const config = join(folder, 'served.yaml');
  const pattern = /"port":(\d+).*"msg":"serving"/;
  await using server = await daemon(join(folder, 'served.log'), pattern, [
    LAUNCHER,
    'serve',
    '--config',
    config,
  ]);
  const importing = (): Promise<Cost> => layover(['import', '-q', bundle, '--config', config]);
  const { seconds } = await timed(bundle, importing);
  return { seconds, peak: peakResident(server.pid) };
}

function configure(folder: string, name: string): void {
  const listen = '127.0.0.1:0';
  const storage = { path: join(folder, name), minFree: 0, verifyRate: 0 };
  const config = { listen, admin: { listen }, storage, offline: true };
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(config));
}

/** A mirror's store with one image. */
async function fill(paths: Paths, layers: number, size: number): Promise<void> {
  const links = diskLinks(paths);
  const listed = [];
  for (let at = 0; at < layers; at += 1) {
    const digest = await layer(paths, at, size);
    await links.set(REPOSITORY, digest, { size });
    listed.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size });
  }
  const put = async (bytes: Buffer, mediaType: string, link: object) => {
    const digest = digestOf(bytes);
    await mkdir(dirname(paths.blob(digest)), { recursive: true });
    writeFileSync(paths.blob(digest), bytes);
    await links.set(REPOSITORY, digest, { size: bytes.length, ...link });
    return { mediaType, digest, size: bytes.length };
  };
  const config = await put(
    Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'),
    'application/vnd.oci.image.config.v1+json',
    {},
  );
  const mediaType = MEDIA_TYPES.ociManifest;
  const manifest = { schemaVersion: 2, mediaType, config, layers: listed };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const root = await put(bytes, mediaType, { mediaType });
  await diskTags(paths).set(REPOSITORY, parseTag('v1'), confirmed(undefined, root, Date.now()));
}

async function layer(paths: Paths, seed: number, size: number) {
  const key = createHash('sha256').update(`layer ${seed}`).digest();
  const noise = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const hash = createHash('sha256');
  const partial = join(paths.root, `layer-${seed}`);
  await mkdir(join(paths.blobs, 'sha256'), { recursive: true });
  const empty = Buffer.alloc(CHUNK);
  await using file = await open(partial, 'w');
  for (let position = 0; position < size; position += CHUNK) {
    const bytes = noise.update(empty.subarray(0, Math.min(CHUNK, size - position)));
    hash.update(bytes);
    await file.write(bytes);
  }
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  await rename(partial, paths.blob(digest));
  return digest;
}

function row(what: string, bytes: number, { seconds, peak }: Timed, copied: Timed): Row {
  const speed = (of: Timed): string => fixed(bytes / MB / of.seconds, 'MB/s', 0);
  const ratio = copied.seconds / seconds;
  return {
    what: `${what}; peak resident`,
    layover: `${speed({ seconds, peak })}; ${fixed(peak / MB, 'MB', 0)}`,
    dockerRegistry: NONE,
    nginx: NONE,
    ratio: `${ratio.toFixed(2)} × the speed of cp and sync (${speed(copied)})`,
    target: { text: '≥ 0.50 × cp and sync, < 200 MB', met: ratio >= 0.5 && peak < MEMORY },
  };
}
