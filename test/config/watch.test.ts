import assert from 'node:assert/strict';
import { appendFile, mkdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { readFileSync, watch } from 'node:fs';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Pulse } from '../../src/core/pulse.ts';
import { FileWatch, type WatchOptions } from '../../src/config/watch.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

/** Tells what the file holds at each change that is noticed. */
async function watching(folder: string, name: string, options: Partial<WatchOptions> = {}) {
  const file = path.join(folder, name);
  const seen: (string | undefined)[] = [];
  const pulse = new Pulse();
  const watched = new FileWatch({
    files: () => [file],
    onChange: async () => {
      seen.push(contentOf(file));
      pulse.give();
    },
    ...options,
  });
  const until = async (text: string | undefined): Promise<void> => {
    while (seen.length === 0 || seen.at(-1) !== text) await pulse.wait();
  };
  await until(contentOf(file));
  // The first look sets up the watch and has a second one follow.
  while (seen.length < 2) await pulse.wait();
  return { file, seen, until, [Symbol.asyncDispose]: () => watched[Symbol.asyncDispose]() };
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

suite('a file that changes', { timeout: 20_000 }, () => {
  test('by being written, replaced by renaming, removed and made again, is noticed', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'c.yaml');
    await writeFile(file, 'one');
    await using place = await watching(folder.path, 'c.yaml');
    await writeFile(file, 'two');
    await place.until('two');
    await writeFile(`${file}.swp`, 'three');
    await rename(`${file}.swp`, file);
    await place.until('three');
    // The watch is on the name, not on the file that was there first.
    await writeFile(file, 'four');
    await place.until('four');
    await unlink(file);
    await place.until(undefined);
    await writeFile(file, 'five');
    await place.until('five');
  });

  test('by the swap of a link to its folder, as Kubernetes does it, is noticed each time', async () => {
    await using folder = await temporaryFolder();
    const at = (...parts: string[]): string => path.join(folder.path, ...parts);
    const version = async (name: string, text: string): Promise<void> => {
      await mkdir(at(`..${name}`));
      await writeFile(at(`..${name}`, 'c.yaml'), text);
      await symlink(`..${name}`, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
    };
    await version('2026_1', 'one');
    await symlink(path.join('..data', 'c.yaml'), at('c.yaml'));
    await using place = await watching(folder.path, 'c.yaml');
    for (const [name, text] of [
      ['2026_2', 'two'],
      ['2026_3', 'three'],
    ] as const) {
      await version(name, text);
      await place.until(text);
    }
    await rm(at('..2026_1'), { recursive: true });
    await writeFile(at('..2026_3', 'c.yaml'), 'in place');
    await place.until('in place');
  });

  test('by another folder that takes the name of its own is noticed, and what happens there', async () => {
    await using folder = await temporaryFolder();
    const at = (...parts: string[]): string => path.join(folder.path, ...parts);
    for (const name of ['etc', 'other']) await mkdir(at(name));
    await writeFile(at('etc', 'c.yaml'), 'one');
    await writeFile(at('other', 'c.yaml'), 'two');
    await using place = await watching(at('etc'), 'c.yaml');
    await rename(at('etc'), at('old'));
    await rename(at('other'), at('etc'));
    await place.until('two');
    await writeFile(at('etc', 'c.yaml'), 'three');
    await place.until('three');
    await rm(at('etc'), { recursive: true });
    await place.until(undefined);
    await mkdir(at('etc'));
    await writeFile(at('etc', 'c.yaml'), 'four');
    await place.until('four');
  });

  test('while the one before is being looked at is looked at next', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'c.yaml');
    await writeFile(file, 'one');
    const seen: string[] = [];
    const [reached, going] = [new Pulse(), Promise.withResolvers<void>()];
    let running = 0;
    await using _watched = new FileWatch({
      files: () => [file],
      onChange: async () => {
        running += 1;
        assert.equal(running, 1, 'one at a time');
        seen.push(readFileSync(file, 'utf8'));
        reached.give();
        if (seen.at(-1) === 'two') await going.promise;
        running -= 1;
      },
    });
    while (seen.length < 2) await reached.wait();
    await writeFile(file, 'two');
    while (seen.at(-1) !== 'two') await reached.wait();
    await writeFile(file, 'three');
    // Long enough for its event to come in vain.
    await delay(600);
    going.resolve();
    while (seen.at(-1) !== 'three') await reached.wait();
  });

  test('in many pieces is looked at when the last one is there', async () => {
    await using folder = await temporaryFolder();
    await writeFile(path.join(folder.path, 'c.yaml'), '');
    await using place = await watching(folder.path, 'c.yaml', { quiet: 1_000 });
    const looks = place.seen.length;
    for (const piece of 'abcdef') {
      await appendFile(place.file, piece);
      await delay(20);
    }
    await place.until('abcdef');
    assert.equal(place.seen.length, looks + 1);
  });

  test('all the time is looked at all the same', async () => {
    await using folder = await temporaryFolder();
    await writeFile(path.join(folder.path, 'c.yaml'), '');
    await using place = await watching(folder.path, 'c.yaml');
    const looks = place.seen.length;
    while (place.seen.length === looks) {
      await appendFile(place.file, 'x');
      await delay(20);
    }
  });
});

suite('watching', { timeout: 20_000 }, () => {
  test('is of names: what others do in the folder is nothing', async () => {
    await using folder = await temporaryFolder();
    await writeFile(path.join(folder.path, 'c.yaml'), 'one');
    await using place = await watching(folder.path, 'c.yaml');
    const looks = place.seen.length;
    await writeFile(path.join(folder.path, 'log'), 'noise');
    await delay(400);
    assert.equal(place.seen.length, looks);
  });

  test('goes on with the files that matter by then', async () => {
    await using folder = await temporaryFolder();
    const [a, b] = ['a', 'b'].map((name) => path.join(folder.path, name)) as [string, string];
    await mkdir(b);
    await writeFile(a, 'one');
    const certificate = path.join(b, 'tls.crt');
    let files = [a];
    const pulse = new Pulse();
    let looks = 0;
    await using _watched = new FileWatch({
      files: () => files,
      onChange: async () => {
        looks += 1;
        pulse.give();
      },
    });
    while (looks < 2) await pulse.wait();
    files = [a, certificate];
    await writeFile(a, 'two');
    while (looks < 3) await pulse.wait();
    // What the new watch itself gives rise to is over.
    await delay(600);
    const before = looks;
    await writeFile(certificate, 'here');
    while (looks === before) await pulse.wait();
  });

  test('where it is impossible, files are looked at now and then', async () => {
    await using folder = await temporaryFolder();
    await writeFile(path.join(folder.path, 'c.yaml'), 'one');
    const told: string[] = [];
    const error = Object.assign(new Error('no more watches'), { code: 'ENOSPC' });
    const pulse = new Pulse();
    let looks = 0;
    await using _watched = new FileWatch({
      files: () => [path.join(folder.path, 'c.yaml')],
      onChange: async () => {
        looks += 1;
        pulse.give();
      },
      every: 50,
      watch: (name, listener) => {
        if (name === folder.path) throw error;
        return watch(name, { persistent: false }, (_event, changed) => listener(changed));
      },
      onPoll: (name) => told.push(name),
    });
    while (looks < 4) await pulse.wait();
    assert.deepEqual(told, [folder.path]);
  });
});
