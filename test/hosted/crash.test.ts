import assert from 'node:assert/strict';
import { cp, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HOSTED } from '../../src/core/hosted.ts';
import { check } from '../../src/hosted/check.ts';
import { listedRepositories, repositories } from '../../src/store/catalog.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Records } from '../../src/store/records.ts';
import {
  changesOf,
  describe,
  isWait,
  killedProcess,
  type Killed,
} from '../fixtures/killed-process.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { unsafeChanges } from '../fixtures/unsafe-changes.ts';
import { COLLECTION, prepare, STEPS, type Step } from './crash-steps.ts';
import { code, openWorld, type World } from './world.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Runs all steps in a process of their own, which is killed before its nth change. */
function run(folder: string, killAt?: number): Promise<Killed> {
  const script = path.join(HERE, 'crash-child.ts');
  const compiled = path.join(template.path, 'compiled');
  return killedProcess({ script, arguments: [folder], compiled, killAt });
}

async function wrong(world: World): Promise<readonly unknown[]> {
  const content = await diskStore({ paths: world.paths });
  const found: unknown[] = [];
  for await (const one of check({ ...world, content, sparse: 'none' })) found.push(one);
  return found;
}

/** Nothing of it is there, unless it may come bit by bit. */
function whole({ name }: Step, parts: readonly boolean[]): boolean {
  return name === COLLECTION || !parts.some(Boolean);
}

/** No staged text is left, and no repository that holds nothing is known to anybody. */
async function nothingEmpty({ paths, hosted }: World): Promise<void> {
  const names = await readdir(paths.root, { recursive: true });
  assert.deepEqual(
    names.filter((name) => /\.(?:staged|new|json)$/.test(name)),
    [],
  );
  for (const one of await listedRepositories(paths, HOSTED)) {
    const links = await Array.fromAsync(new Records(paths).links(one));
    const types = await Promise.all(
      links.map(async (digest) => (await new Records(paths).link(one, digest))?.mediaType),
    );
    const tags = await new Records(paths).tags(one);
    assert.ok((tags ?? []).length > 0 || types.some(Boolean), `${one.path} is listed, and empty`);
  }
  for (const one of await repositories(paths, HOSTED)) {
    const { items } = await hosted.tags(one).catch((error: unknown) => {
      assert.ok(code('NAME_UNKNOWN')(error));
      return { items: undefined };
    });
    const holds = (await Array.fromAsync(new Records(paths).links(one))).length > 0;
    assert.equal(items !== undefined, holds || (items?.length ?? 0) > 0, one.path);
  }
}

/** What has to hold after any crash. */
async function examine(folder: string, acknowledged: readonly string[]): Promise<void> {
  const world = await openWorld(folder);
  assert.deepEqual(await wrong(world), []);
  await nothingEmpty(world);
  for (const [index, step] of STEPS.entries()) {
    const parts = Object.values(await step.seen(world));
    const done = parts.every(Boolean);
    if (index < acknowledged.length)
      assert.ok(done || undone(index, acknowledged), `${step.name} was acknowledged and is lost`);
    else if (index === acknowledged.length)
      assert.ok(done || whole(step, parts), `${step.name} is there in part`);
  }
  // And life goes on.
  for (const step of STEPS.slice(acknowledged.length)) {
    try {
      await step.run(world);
    } catch (error) {
      // It had been done: there is nothing left to delete.
      assert.ok(Object.values(await step.seen(world)).every(Boolean), String(error));
    }
  }
  assert.deepEqual(await wrong(world), []);
}

/** Whether a later step takes back what this one did. */
function undone(index: number, acknowledged: readonly string[]): boolean {
  const name = STEPS[index]?.name ?? '';
  if (name === 'another manifest') return acknowledged.length > index;
  const collecting = STEPS.findIndex((step) => step.name === COLLECTION);
  return GARBAGE.has(name) && acknowledged.length >= collecting;
}

/** What nothing leads to when the collection comes. */
const GARBAGE = new Set(['a mount into a new repository', 'a referrer that no tag leads to']);

const template = await temporaryFolder();
after(() => template[Symbol.asyncDispose]());
await prepare(await openWorld(path.join(template.path, 'before')));

async function copy(name: string): Promise<string> {
  const folder = path.join(template.path, name);
  await cp(path.join(template.path, 'before'), folder, {
    recursive: true,
    preserveTimestamps: true,
  });
  return folder;
}

const uninterrupted = await run(await copy('whole'));
const operations = changesOf(uninterrupted);

test('a power failure right after an acknowledgement loses nothing of it', () => {
  for (const { acknowledged, what } of unsafeChanges(operations)) {
    const lost = what.filter((one) => !/uploads/.test(one));
    assert.deepEqual(lost, [], acknowledged);
  }
});

suite('killed before each change to the disk', { concurrency: 2 }, () => {
  const changes = operations.filter(({ kind }) => kind !== 'acknowledged');
  assert.ok(changes.length > 80, 'the changes are seen');
  for (const [index, change] of changes.entries()) {
    if (isWait(change)) continue;
    test(`${index + 1}: ${describe(change)}`, async () => {
      const folder = await copy(`killed-${index + 1}`);
      const { lines, signal } = await run(folder, index + 1);
      assert.equal(signal, 'SIGKILL');
      await examine(folder, lines);
    });
  }
});
