import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CODES } from '../src/setup/doctor/check.ts';
import { WELL_KNOWN } from '../src/config/well-known.ts';
import { commandsUnder, readDocument } from './fixtures/documents.ts';
import { temporaryFolder } from './fixtures/temporary.ts';
import { startRegistry } from './fixtures/registry.ts';
import { serve } from './http/serve.ts';
import { KNOWN } from './setup/patient.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** Runs commands of a document one by one, for a mirror that runs and a machine in a folder. */
async function follow(
  commands: readonly string[],
  also: (folder: string, mirror: string) => Promise<void> = async () => {},
) {
  await using mirror = await serve({ known: () => KNOWN });
  await using folder = await temporaryFolder();
  const machine = path.join(folder.path, 'machine');
  await mkdir(machine);
  await also(folder.path, mirror.url);
  const [first = ''] = commands;
  for (const line of first.split('\n')) {
    const here = line
      .replaceAll('http://10.0.0.5:8080', mirror.url)
      .replace(/\b(setup \w+|doctor)/, `$1 --root ${machine}`);
    assert.notEqual(here, line);
    const env = { PATH: `${ROOT}bin:${process.env['PATH']}`, HOME: folder.path };
    await run('sh', ['-c', here], { cwd: folder.path, env });
  }
  return (await readdir(machine, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.relative(machine, path.join(parentPath, name)))
    .filter((name) => !name.includes('.layover'))
    .toSorted();
}

suite('docs/setup.md', () => {
  test('the way there and back leaves nothing', async () => {
    assert.deepEqual(await follow(await commandsUnder('docs/setup.md', 'Setting up clients')), []);
  });

  test('containerd', async () => {
    const commands = await commandsUnder('docs/setup.md', 'containerd (Kubernetes, nerdctl, ctr)');
    assert.deepEqual(await follow(commands), [
      'etc/containerd/certs.d/docker.io/hosts.toml',
      'etc/containerd/certs.d/quay.io/hosts.toml',
      'etc/containerd/config.toml',
    ]);
  });

  test('podman', async () => {
    const commands = await commandsUnder('docs/setup.md', 'Podman, Buildah, skopeo, CRI-O');
    assert.deepEqual(await follow(commands), ['etc/containers/registries.conf.d/50-layover.conf']);
  });

  test('docker', async () => {
    assert.deepEqual(await follow(await commandsUnder('docs/setup.md', 'Docker')), [
      'etc/docker/certs.d/quay.io/hosts.toml',
      'etc/docker/daemon.json',
    ]);
  });

  test('buildkit', async () => {
    const commands = await commandsUnder('docs/setup.md', 'BuildKit');
    assert.deepEqual(await follow(commands), ['etc/buildkit/buildkitd.toml']);
  });

  test('k3s', async () => {
    const commands = await commandsUnder('docs/setup.md', 'k3s and RKE2');
    assert.deepEqual(await follow(commands), ['etc/rancher/k3s/registries.yaml']);
  });
});

suite('docs/doctor.md', () => {
  test('its commands find nothing where all is well', async () => {
    await using origin = await startRegistry();
    const off = Object.fromEntries(Object.keys(WELL_KNOWN).map((host) => [host, 'off']));
    await follow(await commandsUnder('docs/doctor.md', 'The doctor'), async (folder, mirror) => {
      const target = ['--root', path.join(folder, 'machine'), '--mirror', mirror, '--write'];
      await run(`${ROOT}bin/layover`, ['setup', 'containerd', '--edit-config', ...target]);
      const settings = {
        listen: new URL(mirror).host,
        storage: { path: path.join(folder, 'data'), maxSize: '1MiB', minFree: 0 },
        upstreams: { ...off, 'docker.io': { url: origin.url } },
      };
      await writeFile(path.join(folder, 'layover.yaml'), JSON.stringify(settings));
    });
  });

  test('it lists what can be found, and each has been planted by a test', async () => {
    const table = await readDocument('docs/doctor.md');
    const first = [...table.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell).join();
    const listed = [...first.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code);
    assert.deepEqual(listed.toSorted(), [...CODES].toSorted());
    const names = ['setup/doctor-files', 'setup/doctor-mirror', 'compose/clients'];
    const tests = await Promise.all(
      names.map((name) => readFile(new URL(`${name}.test.ts`, import.meta.url), 'utf8')),
    );
    const source = tests.join('\n');
    for (const code of CODES) assert.match(source, new RegExp(`'${code}\\??'`), code);
  });
});
