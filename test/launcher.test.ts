import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const LAUNCHER = new URL('../bin/layover', import.meta.url);
const PLATFORM = `${process.platform}-${process.arch}`;
const PROBE = `process.stdout.write(JSON.stringify({
  arguments: process.argv.slice(2),
  main: process.argv[1],
  node: process.execPath,
  flags: process.execArgv,
  threads: process.env.UV_THREADPOOL_SIZE,
}));
process.exitCode = 7;
`;

/** An installation in a folder with a space in its name, whose main.ts tells how it was started. */
async function installation() {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'layover launcher ')));
  const root = join(home, 'the root');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'src'));
  await mkdir(join(home, 'tools'));
  await copyFile(LAUNCHER, join(root, 'bin/layover'));
  await chmod(join(root, 'bin/layover'), 0o755);
  await writeFile(join(root, 'src/main.ts'), PROBE);
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  // Only what the launcher may rely on, so that PATH holds no Node but the test's own.
  for (const tool of ['sh', 'readlink']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    await symlink(found.stdout.trim(), join(home, 'tools', tool));
  }
  return {
    home,
    root,
    tools: join(home, 'tools'),
    launcher: join(root, 'bin/layover'),
    async pinned() {
      const folder = join(root, 'node_modules', `node-${PLATFORM}`, 'bin');
      await mkdir(folder, { recursive: true });
      await symlink(process.execPath, join(folder, 'node'));
    },
    async systemNode(script: string) {
      await writeFile(join(home, 'tools/node'), `#!/bin/sh\n${script}\n`);
      await chmod(join(home, 'tools/node'), 0o755);
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true }),
  };
}

function run(command: string, args: readonly string[], environment: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    env: environment,
    encoding: 'utf8',
  });
  return { status, stderr, told: stdout === '' ? undefined : JSON.parse(stdout) };
}

test('the pinned Node runs main.ts, through a chain of links and spaces in the path', async () => {
  await using place = await installation();
  await place.pinned();
  const links = join(place.home, 'links');
  await mkdir(links);
  await symlink('../the root/bin/layover', join(links, 'relative'));
  await symlink(join(links, 'relative'), join(links, 'absolute'));
  for (const command of [place.launcher, join(links, 'relative'), join(links, 'absolute')]) {
    const { status, told } = run(command, ['verify', 'a b', '', '--x=*'], { PATH: place.tools });
    assert.equal(status, 7);
    assert.equal(told.main, join(place.root, 'src/main.ts'));
    assert.equal(told.node, await realpath(process.execPath));
    assert.deepEqual(told.arguments, ['verify', 'a b', '', '--x=*']);
    assert.deepEqual(told.flags, [
      '--disable-warning=ExperimentalWarning',
      '--max-semi-space-size=2',
    ]);
    assert.equal(told.threads, '16');
  }
});

test('a shell that is given the bare name of a link finds the root', async () => {
  await using place = await installation();
  await place.pinned();
  await symlink('layover', join(place.root, 'bin/link'));
  for (const name of ['layover', 'link']) {
    const { told } = run('/bin/sh', ['-c', `cd '${place.root}/bin' && sh ${name} serve`], {
      PATH: place.tools,
    });
    assert.deepEqual(told.arguments, ['serve']);
  }
});

test('a link with the name of a tool asks for that tool', async () => {
  await using place = await installation();
  await place.pinned();
  for (const tool of ['imgpull', 'crget', 'crpy', 'registory-raider', 'layerslayer']) {
    const link = join(place.home, tool);
    await symlink(place.launcher, link);
    const { told } = run(link, ['--help', 'a b'], { PATH: place.tools });
    assert.deepEqual(told.arguments, [tool, '--help', 'a b']);
  }
});

for (const [says, folder, environment] of [
  ['the home folder', '/home/x/.cache/layover/compiled', { HOME: '/home/x' }],
  ['XDG_CACHE_HOME', '/c/layover/compiled', { HOME: '/home/x', XDG_CACHE_HOME: '/c' }],
  ['NODE_COMPILE_CACHE', '/n', { HOME: '/home/x', NODE_COMPILE_CACHE: '/n' }],
  ['nobody', undefined, {}],
] as const) {
  test(`where compiled sources are kept: ${says} says`, async () => {
    await using place = await installation();
    await place.systemNode(
      `[ "$1" = --version ] && echo v24.0.0 || printf '{"compiled":"%s"}' "\${NODE_COMPILE_CACHE-unset}"`,
    );
    const { told } = run(place.launcher, [], { PATH: place.tools, ...environment });
    assert.equal(told.compiled, folder ?? 'unset');
  });
}

test('an installed package runs what was built, by the Node that was installed beside it', async () => {
  await using place = await installation();
  const modules = join(place.home, 'node_modules');
  const beside = join(modules, `node-${PLATFORM}`, 'bin');
  await mkdir(beside, { recursive: true });
  await symlink(process.execPath, join(beside, 'node'));
  await mkdir(join(modules, '.bin'));
  await rename(place.root, join(modules, 'layover'));
  await rename(join(modules, 'layover/src'), join(modules, 'layover/dist'));
  await rename(join(modules, 'layover/dist/main.ts'), join(modules, 'layover/dist/main.js'));
  await symlink('../layover/bin/layover', join(modules, '.bin/layover'));
  const { status, told } = run(join(modules, '.bin/layover'), ['serve'], { PATH: place.tools });
  assert.equal(status, 7);
  assert.equal(told.main, join(modules, 'layover/dist/main.js'));
  assert.deepEqual(told.arguments, ['serve']);
});

test('a Node beside a checkout is nobody that was installed for it', async () => {
  await using place = await installation();
  const beside = join(place.home, `node-${PLATFORM}`, 'bin');
  await mkdir(beside, { recursive: true });
  await symlink(process.execPath, join(beside, 'node'));
  const { status, stderr } = run(place.launcher, ['serve'], { PATH: place.tools });
  assert.equal(status, 1);
  assert.match(stderr, /and there is none;/);
});

test('a thread pool size that is set stays', async () => {
  await using place = await installation();
  await place.pinned();
  const { told } = run(place.launcher, [], { PATH: place.tools, UV_THREADPOOL_SIZE: '5' });
  assert.equal(told.threads, '5');
});

test('without the pinned Node a system Node that is new enough serves', async () => {
  await using place = await installation();
  await place.systemNode(`exec ${process.execPath} "$@"`);
  const { status, told } = run(place.launcher, ['serve'], { PATH: place.tools });
  assert.equal(status, 7);
  assert.deepEqual(told.arguments, ['serve']);
});

test('a pinned Node that this system cannot load is passed over', async () => {
  await using place = await installation();
  await place.pinned();
  const script = await readFile(place.launcher, 'utf8');
  // What a system with another C library looks like: the loader is not where glibc puts it.
  await writeFile(
    place.launcher,
    script.replaceAll(/(?<=linux-\w+:)\/lib[^\s;]+/g, '/nowhere/ld.so'),
  );
  await place.systemNode('[ "$1" = --version ] && echo v24.0.0 || echo \'{"system":true}\'');
  const { told } = run(place.launcher, [], { PATH: place.tools });
  assert.deepEqual(told, { system: true });
});

for (const [name, script, says] of [
  ['an old', 'echo v20.11.1', 'is v20.11.1;'],
  ['a broken', 'exit 127', 'is unknown;'],
  ['an odd', 'echo hello', 'is hello;'],
] as const) {
  test(`${name} system Node is refused in one line`, async () => {
    await using place = await installation();
    await place.systemNode(script);
    const { status, stderr, told } = run(place.launcher, ['serve'], { PATH: place.tools });
    assert.equal(status, 1);
    assert.equal(told, undefined);
    assert.match(
      stderr,
      /^layover: needs Node\.js 24 or newer and [^\n]*; run 'npm ci' in [^\n]*\n$/,
    );
    assert.ok(stderr.includes(says), stderr);
  });
}

test('no Node at all is told in one line', async () => {
  await using place = await installation();
  const { status, stderr } = run(place.launcher, ['serve'], { PATH: place.tools });
  assert.equal(status, 1);
  assert.match(stderr, /^layover: needs Node\.js 24 or newer and there is none; [^\n]*\n$/);
});
