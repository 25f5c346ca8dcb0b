import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HOSTED } from '../../src/core/hosted.ts';
import { check } from '../../src/hosted/check.ts';
import { listedRepositories, repositories } from '../../src/store/catalog.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Records } from '../../src/store/records.ts';
import { collect } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { COLLECTION, prepare, STEPS, type Step } from './crash-steps.ts';
import type { Operation } from './watched-files.ts';
import { code, openWorld, type World } from './world.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

interface Outcome {
  readonly lines: readonly string[];
  readonly signal: string | null;
}

/** Runs all steps in a process of their own, which is killed before its nth change. */
async function run(folder: string, killAt?: number): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import',
      path.join(HERE, 'watched-files.ts'),
      path.join(HERE, 'crash-child.ts'),
      folder,
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

/** What would be lost if the power failed at the moment that each step is acknowledged. */
function unsafe(operations: readonly Operation[]): readonly string[] {
  const waiting = new Set<string>();
  const lost: string[] = [];
  for (const { kind, name: given, to } of operations) {
    const name = given === '' ? '.' : given;
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
      case 'rm':
        // Content that nothing leads to may come back: it goes the next time.
        if (!name.startsWith('blobs/')) waiting.add(`names in ${path.dirname(name)}`);
        break;
      case 'mkdir':
        waiting.add(`names in ${path.dirname(name)}`);
        break;
      case 'acknowledged':
        for (const what of waiting) if (!/uploads/.test(what)) lost.push(`${name}: ${what}`);
        waiting.clear();
        break;
    }
  }
  return lost;
}

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
const operations = JSON.parse(uninterrupted.lines.at(-1) ?? '') as readonly Operation[];

test('a power failure right after an acknowledgement loses nothing of it', () => {
  assert.deepEqual(unsafe(operations), []);
});

suite('killed before each change to the disk', { concurrency: 2 }, () => {
  const changes = operations.filter(({ kind }) => kind !== 'acknowledged');
  assert.ok(changes.length > 80, 'the changes are seen');
  for (const [index, { kind, name, to }] of changes.entries()) {
    // For a killed process these change nothing: the next point finds the same.
    if (kind === 'sync' || kind === 'datasync' || kind === 'chmod') continue;
    const what = `${kind} ${[name, ...(to === undefined ? [] : [to])].map(short).join(' to ')}`;
    test(`${index + 1}: ${what}`, async () => {
      const folder = await copy(`killed-${index + 1}`);
      const { lines, signal } = await run(folder, index + 1);
      assert.equal(signal, 'SIGKILL');
      await examine(folder, lines);
    });
  }
});

function short(name: string): string {
  return name.replaceAll(/[0-9a-f-]{36,}/g, '…');
}
