import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('entry.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const WARNINGS = '--disable-warning=ExperimentalWarning';

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'layover-cli-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function layover(cwd: string, line: readonly string[], environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WARNINGS, ENTRY, ...line], {
    cwd,
    env: { PATH: '', ...environment },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('a configuration with faults stops the start: all of them on stderr, nothing on stdout', () => {
  using place = folder();
  const file = join(place.path, 'c.yaml');
  writeFileSync(file, 'drain: soon\nlisen: x\n');
  const { status, stdout, stderr } = layover(place.path, [
    'serve',
    '--config',
    file,
    '--listen',
    'x',
  ]);
  assert.equal(status, 1);
  assert.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines[0], 'layover: the configuration has 3 faults:');
  assert.ok(lines[1]?.startsWith(`  ${file}:1:8 drain: `));
  assert.ok(lines[2]?.startsWith(`  ${file}:2:1 lisen: `));
  assert.ok(lines[3]?.startsWith('  --listen: "x" is not an address'));
  assert.equal(lines.length, 4);
});

test('flags, environment and the lack of a default file come together', () => {
  using place = folder();
  const { status, stdout } = layover(place.path, ['serve'], { LAYOVER_LISTEN: '[::1]:81' });
  assert.deepEqual([status, stdout], [0, '{"host":"::1","port":81}\n']);
  const shown = layover(place.path, ['settings', 'show', '--listen', ':82'], {
    LAYOVER_LISTEN: ':81',
  });
  assert.match(shown.stdout, /^listen: :82 {2}# flag --listen\n/);
});

test('what show prints is a file that check finds no fault in', () => {
  using place = folder();
  const shown = layover(place.path, ['settings', 'show']);
  const file = join(place.path, 'shown.yaml');
  writeFileSync(file, shown.stdout);
  const checked = layover(place.path, ['settings', 'check', file]);
  assert.deepEqual(checked, { status: 0, stdout: '', stderr: 'no faults\n' });
});

test('a rate that is none is told by its flag', () => {
  using place = folder();
  const { status, stderr } = layover(place.path, ['verify', '--rate', 'fast']);
  assert.equal(status, 1);
  assert.match(stderr, /\n {2}--rate: "fast" is not a size; /);
});

for (const [says, line] of [
  ['a verb', [ENTRY, 'settings', 'schema']],
  ['the version', [MAIN, '--version']],
] as const) {
  test(`a reader that leaves ends the program quietly: ${says}`, async () => {
    const child = spawn(process.execPath, [WARNINGS, ...line], { env: { PATH: '' } });
    child.stdout.destroy();
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    const [code] = await once(child, 'close');
    assert.deepEqual([code, told], [0, '']);
  });

  test(`data that a full disk does not take is a failure of one line: ${says}`, (t) => {
    if (!existsSync('/dev/full')) return t.skip('no /dev/full here');
    const full = openSync('/dev/full', 'w');
    try {
      const { status, stderr } = spawnSync(process.execPath, [WARNINGS, ...line], {
        env: { PATH: '' },
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      });
      assert.match(stderr, /^layover: the data cannot be written: ENOSPC.*\n$/);
      assert.equal(status, 1);
    } finally {
      closeSync(full);
    }
  });
}
