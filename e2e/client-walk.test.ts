import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pseudoTerminal, withoutTerminals } from '../test/fixtures/pseudo-terminal.ts';
import { commandIn } from './lib/command.ts';
import { image } from './lib/image.ts';
import { LAUNCHER } from './lib/layover.ts';
import { push } from './lib/push.ts';
import { run } from './lib/process.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch } from './lib/scratch.ts';

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
