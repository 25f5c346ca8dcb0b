import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { attempt } from './lib/process.ts';
import { scratch, type Scratch } from './lib/scratch.ts';

const ROOT = join(import.meta.dirname, '..');
/** In tenths, as systemd counts what a service could do if it were taken over; 10 is a service without limits. */
const EXPOSURE = 15;

/** The unit, with the program where it is here. */
async function unit(folder: Scratch): Promise<string> {
  const text = await readFile(join(ROOT, 'config/systemd/layover.service'), 'utf8');
  const file = folder.at('layover.service');
  await writeFile(file, text.replaceAll('/opt/layover', ROOT));
  return file;
}

suite('the systemd unit', () => {
  test('is understood, line by line', async () => {
    await using folder = await scratch();
    const done = await attempt('systemd-analyze', ['verify', '--man=no', await unit(folder)]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stdout + done.stderr, '');
  });

  test('leaves little that could be done with it', async () => {
    await using folder = await scratch();
    const file = await unit(folder);
    const args = ['security', '--offline=yes', '--no-pager', `--threshold=${EXPOSURE}`, file];
    const done = await attempt('systemd-analyze', args);
    assert.equal(done.code, 0, done.stdout + done.stderr);
  });

  test('stops later than the server itself would', async () => {
    const text = await readFile(join(ROOT, 'config/systemd/layover.service'), 'utf8');
    const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(text) ?? [];
    const defaults = await readFile(join(ROOT, 'config/layover.yaml'), 'utf8');
    const [, drain] = /^drain: (\d+)s$/m.exec(defaults) ?? [];
    assert.ok(Number(seconds) > Number(drain), `${seconds} and ${drain}`);
  });
});
