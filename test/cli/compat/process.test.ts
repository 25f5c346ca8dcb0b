import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { file, layerOf } from '../../fixtures/layer-builder.ts';
import { putImage, world } from './world.ts';

const ROOT = new URL('../../../', import.meta.url);

interface Ended {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function started(name: string, line: readonly string[], cwd: string): Promise<Ended> {
  const program = fileURLToPath(new URL(`bin/${name}`, ROOT));
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd };
  return new Promise((resolve) => {
    execFile(program, line, { cwd, env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

for (const [name, line, ended] of [
  ['imgpull', ['--version'], { status: 0, stdout: /^imgpull version: / }],
  ['imgpull', ['host/x', 'x.tar', '-o', 'beos'], { status: 1, stdout: /^operating system "beos"/ }],
  ['crpy', ['version'], { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ }],
  ['crpy', ['tags', 'ghcr.io'], { status: 255, stdout: /^$/ }],
  ['crget', ['alpine'], { status: 1, stdout: /^$/ }],
  ['crget', [], { status: 2, stdout: /^$/ }],
  ['registory-raider', [], { status: 1, stdout: /^Usage: registory-raider / }],
  ['layover', ['crpy', 'version'], { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ }],
] as const) {
  test(`as a program: ${[name, ...line].join(' ')}`, async () => {
    await using here = await world();
    const { status, stdout } = await started(name, line, here.at('.'));
    assert.equal(status, ended.status);
    assert.match(stdout, ended.stdout);
  });
}

test('as a program, crget puts the file into the current folder', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [layerOf([file('x', 'content')])]);
  const { status, stdout, stderr } = await started(
    'crget',
    [`${here.host}/user/app`],
    here.at('.'),
  );
  assert.deepEqual([status, stdout], [0, ''], stderr);
  assert.equal(await readFile(here.at('app'), 'utf8'), 'content');
});

test('every tool has its program, which npm installs', async () => {
  const { bin } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  for (const name of ['imgpull', 'crpy', 'crget', 'registory-raider', 'layerslayer']) {
    assert.equal(bin[name], 'bin/layover');
    assert.equal(await readlink(new URL(`bin/${name}`, ROOT)), 'layover');
  }
});
