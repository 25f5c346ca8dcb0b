import assert from 'node:assert/strict';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pseudoTerminal, withoutTerminals } from '../test/fixtures/pseudo-terminal.ts';
import { commandIn } from './lib/command.ts';
import { image } from './lib/image.ts';
import { LAUNCHER } from './lib/layover.ts';
import { push } from './lib/push.ts';
import { run } from './lib/process.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';

test(
  'browse walks docker-registry at a terminal and saves a file',
  { skip: withoutTerminals() },
  async () => {
    await using folder = await scratch();
    await using registry = await dockerRegistry(folder, { name: 'walked' });
    const content = image({ message: 'found on a walk\n', layers: [1000] });
    await push(registry.url, 'walk/app', 'v1', content);
    await push(registry.url, 'walk/other', 'v2', content);
    const env = { PATH: process.env['PATH'] ?? '', ...commandIn(folder.path).env };
    const command = [LAUNCHER, 'browse', registry.url];
    await using terminal = pseudoTerminal(command, { env, cwd: folder.path });
    await terminal.shows('repository (');
    terminal.type('1\r');
    await terminal.shows('tag (');
    terminal.type('1\r');
    await terminal.shows('q quit: ');
    terminal.type('c\r');
    await terminal.shows('File or folder: ');
    terminal.type('/message\r');
    await terminal.shows('Save as [message]: ');
    terminal.type('\r');
    await terminal.shows('q quit: ');
    terminal.type('q\r');
    assert.equal(await terminal.ended, 0);
    assert.equal(await run('cat', [folder.at('message')]), content.message);
  },
);

test(
  'registory-raider walks docker-registry at a terminal and saves its layers',
  { skip: withoutTerminals() },
  async () => {
    await using folder = await scratch();
    await using registry = await dockerRegistry(folder, { name: 'raided' });
    const content = image({ message: 'found on a raid\n', layers: [1000] });
    await push(registry.url, 'walk/app', 'v1', content);
    const env = { PATH: process.env['PATH'] ?? '', ...commandIn(folder.path).env };
    const command = [join(LAUNCHER, '../registory-raider'), registry.url];
    await using terminal = pseudoTerminal(command, { env, cwd: folder.path });
    await terminal.shows("Select a repository (number) or 'q' to quit: ");
    terminal.type('1\r');
    await terminal.shows("Select a tag (number) or 'q' to quit: ");
    terminal.type('1\r');
    await terminal.shows("'a' for all, or 'q' to quit: ");
    terminal.type('a\r');
    await terminal.shows('Output directory [press Enter for current dir]: ');
    terminal.type('saved\r');
    assert.equal(await terminal.ended, 0);
    const files = await Array.fromAsync(glob('**/*', { cwd: folder.at('saved') }));
    const saved = await Promise.all(
      files.map((file) => sha256(folder.at('saved', file)).catch(() => undefined)),
    );
    for (const { digest } of content.blobs.slice(1)) assert.ok(saved.includes(digest), digest);
  },
);
