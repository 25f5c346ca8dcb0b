import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { layerOf } from './fixtures/layer-builder.ts';
import { startRegistry } from './fixtures/registry.ts';
import { temporaryFolder, type TemporaryFolder } from './fixtures/temporary.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEPENDENCIES = path.join(ROOT, 'node_modules');
const ON_DISK = /^(?:bin|config|src|package\.json|tsconfig\S*\.json|README\.md|LICENSE)$/;
const run = promisify(execFile);

interface Package {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest: Package = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
/** What a new project with the package in it looks like. */
let project: TemporaryFolder;
let environment: Record<string, string>;

before(async () => {
  project = await temporaryFolder();
  environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: path.join(project.path, 'home'),
    NODE_NO_WARNINGS: '1',
  };
  await install(await packed(path.join(project.path, 'checkout')));
  await writeFile(path.join(project.path, 'package.json'), '{ "type": "module" }');
});

after(() => project[Symbol.asyncDispose]());

/** Packs a copy: what is built there is nobody else's. */
async function packed(checkout: string): Promise<string> {
  await mkdir(checkout);
  for (const name of (await readdir(ROOT)).filter((name) => ON_DISK.test(name))) {
    await cp(path.join(ROOT, name), path.join(checkout, name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  await symlink(DEPENDENCIES, path.join(checkout, 'node_modules'));
  await run('npm', ['pack', '--silent', '--offline', '--no-update-notifier'], {
    cwd: checkout,
    env: { ...environment, PATH: `${path.dirname(process.execPath)}:${environment['PATH']}` },
  });
  return path.join(checkout, `layover-${manifest.version}.tgz`);
}

/** As npm does: the package, its links, and only what it says it depends on beside it. */
async function install(tarball: string): Promise<void> {
  const modules = path.join(project.path, 'node_modules');
  await mkdir(path.join(modules, 'layover'), { recursive: true });
  await mkdir(path.join(modules, '.bin'));
  await run('tar', ['-xzf', tarball, '-C', path.join(modules, 'layover'), '--strip-components=1']);
  for (const [name, target] of Object.entries(manifest.bin)) {
    await symlink(path.join('../layover', target), path.join(modules, '.bin', name));
  }
  const platform = `node-${process.platform}-${process.arch}`;
  await mkdir(path.join(modules, platform, 'bin'), { recursive: true });
  await symlink(process.execPath, path.join(modules, platform, 'bin/node'));
  for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
    await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
    await symlink(path.join(DEPENDENCIES, name), path.join(modules, name));
  }
}

const inProject = async (file: string, args: readonly string[]) =>
  await run(file, args, { cwd: project.path, env: environment });

/** A registry with one image of two layers. */
async function registryWithImage() {
  const registry = await startRegistry();
  const { manifest } = registry.addImage('team/app', '1.2', {
    layers: [
      layerOf([{ name: 'etc/app.conf', data: 'below' }], 'gzip'),
      layerOf([{ name: 'etc/os-release', data: 'ID=example\n' }], 'gzip'),
    ],
  });
  return { registry, manifest, image: `${registry.host}/team/app:1.2` };
}

async function examples(): Promise<readonly string[]> {
  const text = await readFile(path.join(ROOT, 'docs/library.md'), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
}

const example = async (number: number, ...args: readonly string[]) => {
  const file = `example-${number}.ts`;
  await writeFile(path.join(project.path, file), (await examples())[number - 1] ?? '');
  return await inProject(process.execPath, [file, ...args]);
};

test('every example has the types that the package states', async () => {
  const all = await examples();
  assert.equal(all.length, 3);
  const wrong = `import { parseReference } from 'layover';
export const a: number = parseReference('a');
`;
  const files = await Promise.all(
    [...all, wrong].map(async (code, index) => {
      const file = `typed-${index + 1}.ts`;
      await writeFile(path.join(project.path, file), code);
      return file;
    }),
  );
  const tsc = path.join(DEPENDENCIES, '.bin/tsc');
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext'];
  const types = ['--types', 'node', '--noUncheckedIndexedAccess'];
  // Nothing but what is wrong, in the declarations neither: no skipLibCheck.
  await assert.rejects(
    inProject(tsc, [...flags, ...types, ...files]),
    ({ stdout }: { stdout: string }) => {
      assert.match(
        stdout,
        /^typed-4\.ts\(2,14\): error TS2322: Type 'Reference' is not assignable/,
      );
      assert.equal(stdout.match(/: error /g)?.length, 1, stdout);
      return true;
    },
  );
});

test('an example pulls an image into an archive, and from the cache after that', async () => {
  const { registry, manifest, image } = await registryWithImage();
  await using _ = registry;
  const first = await example(1, image, 'first.tar');
  assert.equal(first.stdout, `${manifest.digest} 0 from the cache\n`);
  const second = await example(1, image, 'second.tar');
  assert.equal(second.stdout, `${manifest.digest} 3 from the cache\n`);
  const [one, two] = await Promise.all(
    ['first.tar', 'second.tar'].map((name) => readFile(path.join(project.path, name))),
  );
  assert.deepEqual(one, two);
  const listed = await example(2, 'docker-archive:first.tar');
  assert.match(listed.stdout, /^etc\/app\.conf 5\nID=example\n$/);
});

test('an example reads files of a registry', async () => {
  const { registry, image } = await registryWithImage();
  await using _ = registry;
  assert.equal((await example(2, image)).stdout, 'etc/app.conf 5\nID=example\n');
  const missing = await example(2, image, 'etc/none');
  assert.equal(missing.stdout, 'etc/app.conf 5\n');
  assert.match(missing.stderr, /etc\/none/);
});

test('an example runs a mirror', async () => {
  const { registry, manifest, image } = await registryWithImage();
  await using _ = registry;
  for (const result of ['miss', 'hit']) {
    const { stdout } = await example(3, image, 'store');
    assert.equal(stdout, `${manifest.digest} ${result}\n`);
  }
});

test('large content is hashed on a thread of the installed package', async () => {
  const hashing = path.join(project.path, 'node_modules/layover/dist/core/hashing.js');
  const code = `
    import { runningHash } from ${JSON.stringify(pathToFileURL(hashing).href)};
    const hash = runningHash('sha256', 1e9);
    const seen = hash.update(new Uint8Array(1e6));
    console.log(seen instanceof Promise, await hash.digest());
  `;
  const { stdout } = await inProject(process.execPath, ['--input-type=module', '-e', code]);
  const digest = createHash('sha256').update(new Uint8Array(1e6)).digest('hex');
  assert.equal(stdout, `true sha256:${digest}\n`);
});

test('an installed package has its programs', async () => {
  const bin = path.join(project.path, 'node_modules/.bin');
  const names = await readdir(path.join(ROOT, 'bin'));
  assert.deepEqual(Object.keys(manifest.bin).toSorted(), names.toSorted());
  const { stdout } = await inProject(path.join(bin, 'layover'), ['--version']);
  assert.equal(stdout, `layover ${manifest.version}\n`);
  const { registry, image } = await registryWithImage();
  await using _ = registry;
  const tags = await inProject(path.join(bin, 'layover'), ['tags', image]);
  assert.equal(tags.stdout, '1.2\n');
  const help = await inProject(path.join(bin, 'crget'), ['--help']);
  assert.match(help.stdout + help.stderr, /crget/);
});

test('a default configuration is part of the package', async () => {
  const layover = path.join(project.path, 'node_modules/.bin/layover');
  const { stdout } = await inProject(layover, ['settings', 'show']);
  assert.match(stdout, /docker\.io/);
});

test('everything the package exports is there, and nothing else can be imported', async () => {
  for (const [name, file] of Object.entries(manifest.exports)) {
    const specifier = JSON.stringify(path.posix.join('layover', name));
    const attributes = file.endsWith('.json') ? ", { with: { type: 'json' } }" : '';
    await inProject(process.execPath, ['-e', `await import(${specifier}${attributes})`]);
  }
  await assert.rejects(
    inProject(process.execPath, ['-e', "await import('layover/dist/main.js')"]),
    /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  );
});
