import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { storedDigests } from '../../../src/store/stored.ts';
import { collect } from '../../fixtures/collect.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import type { Operation } from '../../hosted/watched-files.ts';
import { APP, exported, keep, openWorld, tag, type World } from './world.ts';
import { parseTag } from '../../../src/core/reference.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const WATCHED = path.join(HERE, '..', '..', 'hosted', 'watched-files.ts');
const TAGS = ['v1', 'v2'];

const template = await temporaryFolder();
after(() => template[Symbol.asyncDispose]());

const bundle = path.join(template.path, 'bundle.tar');
const image = buildImage([[file('a', 'the only layer')]], { repository: APP });
const parts = [image.manifest.descriptor, image.config, ...image.layers];
{
  await using here = await openWorld();
  await keep(here.store, image, parts);
  for (const name of TAGS) await tag(here.store, APP, name, image.manifest.descriptor);
  await exported(here, ['docker.io/**'], { file: bundle });
}

/** Imports in a process of its own, which is killed before its nth change to the disk. */
async function run(folder: string, killAt?: number) {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import',
      WATCHED,
      path.join(HERE, 'crash-child.ts'),
      folder,
      bundle,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: path.join(template.path, 'compiled'),
        ...(killAt !== undefined && { KILL_AT: String(killAt) }),
      },
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const text = (await collect(child.stdout)).toString();
  const [, signal] = await exited;
  return { lines: text.split('\n').filter((line) => line !== ''), signal };
}

async function isWhole(world: World, digest: Digest, size: number): Promise<boolean> {
  const link = await world.store.links.get(APP, digest);
  return link?.size === size && (await world.store.content.size(digest)) === size;
}

/** What has to hold after any crash. */
async function examine(folder: string, acknowledged: boolean): Promise<void> {
  await using world = await openWorld({ folder });
  // Whatever may go, goes: what is visible has to stay whole.
  await world.store.housekeeping.evictor.sweep({ reason: 'request', excess: () => Infinity });
  const visible = await Promise.all(
    TAGS.map(async (name) => (await world.store.tags.get(APP, parseTag(name))) !== undefined),
  );
  assert.ok(visible.every(Boolean) || !visible.some(Boolean), 'all tags or none');
  if (acknowledged) assert.ok(visible.every(Boolean), 'what was acknowledged is lost');
  if (visible.some(Boolean)) {
    for (const { digest, size } of parts) assert.ok(await isWhole(world, digest, size), digest);
  }
  for await (const digest of storedDigests(world.store.paths)) {
    assert.equal(digestOf(await readFile(world.store.paths.blob(digest))), digest);
  }
  // Nothing of what was begun is left over, and nothing is counted that is not there.
  assert.equal(world.store.housekeeping.ledger.partial, 0);
  // And life goes on.
  await world.import(await readFile(bundle));
  for (const { digest, size } of parts) assert.ok(await isWhole(world, digest, size), digest);
}

/** What would be lost if the power failed at the moment that the import is acknowledged. */
function unsafe(operations: readonly Operation[]): readonly string[] {
  const waiting = new Set<string>();
  for (const { kind, name, to } of operations) {
    switch (kind) {
      case 'write':
        waiting.add(`bytes of ${name}`);
        break;
      case 'sync':
      case 'datasync':
        waiting.delete(`bytes of ${name}`);
        waiting.delete(`names in ${name}`);
        break;
      case 'rename':
        if (waiting.delete(`bytes of ${name}`)) waiting.add(`bytes of ${to}`);
        waiting.add(`names in ${path.dirname(to ?? '')}`);
        break;
      case 'acknowledged':
        // The index may be lost, and the lists for other tools, in the root, are written anew.
        return [...waiting].filter((what) => !/names in \.$|index/.test(what));
    }
  }
  return ['it was never acknowledged'];
}

const whole = await run(path.join(template.path, 'whole'));
const operations = JSON.parse(whole.lines.at(-1) ?? '') as readonly Operation[];

test('a power failure right after an import loses nothing of it', () => {
  // Tags are written once more behind the change that has them on the disk.
  const lost = unsafe(operations).filter((what) => !/names in .*_tags$/.test(what));
  assert.deepEqual(lost, []);
});

suite('killed before each change to the disk', { concurrency: 2 }, () => {
  const changes = operations.filter(({ kind }) => kind !== 'acknowledged');
  assert.ok(changes.length > 40, 'the changes are seen');
  for (const [index, { kind, name, to }] of changes.entries()) {
    // For a killed process these change nothing: the next point finds the same.
    if (kind === 'sync' || kind === 'datasync' || kind === 'chmod') continue;
    const what = `${kind} ${[name, ...(to === undefined ? [] : [to])].map(short).join(' to ')}`;
    test(`${index + 1}: ${what}`, async () => {
      const folder = path.join(template.path, `killed-${index + 1}`);
      const { lines, signal } = await run(folder, index + 1);
      // What goes on beside the import may take one change less the next time.
      if (!lines.includes('imported')) assert.equal(signal, 'SIGKILL');
      await examine(folder, lines.includes('imported'));
    });
  }
});

function short(name: string): string {
  return name.replaceAll(/[0-9a-f-]{36,}/g, '…');
}
