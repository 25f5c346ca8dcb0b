import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { commandsUnder, readDocument } from '../../test/fixtures/documents.ts';
import { image, multiPlatform } from './image.ts';
import { run, start } from './process.ts';
import { push } from './push.ts';
import { dockerRegistry } from './registry.ts';
import { scratch } from './scratch.ts';

// Types what README.md says, in a network and with an /etc that nobody else has: see e2e/docs.test.ts.

await using folder = await scratch();
await mkdir(process.env['HOME'] ?? '', { recursive: true });

/** What it prints. A block that is more than one command ends with the first one that fails. */
async function type(text: string): Promise<string> {
  return run('sh', ['-euc', text], {
    env: { CONTAINERD_SNAPSHOTTER: 'native', STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' },
  });
}

/** The file that a block says it is, in its first line. */
async function writeFrom(name: string): Promise<void> {
  const block = (await readDocument('README.md'))
    .split('```')
    .find((text) => text.includes(`\n# ${name}`));
  assert.ok(block !== undefined, `README.md does not show ${name}`);
  await mkdir(path.dirname(name), { recursive: true });
  await writeFile(name, block.slice(block.indexOf('\n') + 1));
}

await using upstream = await dockerRegistry(folder, { name: 'upstream' });
const busybox = multiPlatform({ message: 'busybox\n' });
await push(upstream.url, 'library/busybox', 'latest', busybox);
await push(upstream.url, 'podman/hello', 'latest', image({ message: 'hello\n' }));
const config = folder.at('layover.yaml');
const { url } = upstream;
await writeFile(
  config,
  JSON.stringify({ upstreams: { 'docker.io': { url }, 'quay.io': { url } } }),
);
process.env['LAYOVER_CONFIG'] = config;

const [serve = '', pushes = ''] = await commandsUnder('README.md', 'Use it as a registry');
await using server = await start('sh', ['-euc', serve]);
await server.until(/"msg":"serving"/);

const [, , twice = ''] = await commandsUnder('README.md', 'Start it');
const said = (await type(twice)).trim().split(/\r?\n/);
assert.deepEqual(said, [
  'Cache-Status: layover; fwd=miss; stored; ttl=60',
  'Cache-Status: layover; hit; ttl=60',
]);

await writeFrom('/etc/containerd/certs.d/_default/hosts.toml');
await using containerd = await start('containerd', []);
await containerd.until(/containerd successfully booted/);
const [ctr = ''] = await commandsUnder('README.md', 'containerd (Kubernetes, nerdctl, ctr)');
await type(ctr);
assert.match(await run('ctr', ['image', 'ls']), new RegExp(`busybox:latest.*${busybox.digest}`));

await writeFrom('/etc/containers/registries.conf.d/layover.conf');
const [pulls = ''] = await commandsUnder('README.md', 'Podman, Buildah, skopeo, CRI-O');
await type(pulls);

await writeFile('my.yaml', await readFile(config));
const [settings = ''] = await commandsUnder('README.md', 'Configuration');
assert.match(await type(settings), /json-schema/);

await type(`
podman tag docker.io/library/busybox:latest localhost/app
helm create app && helm package app --version 1.0.0
printf '{}' > sbom.json
`);
await type(pushes);
const deleted = await fetch('http://127.0.0.1:8080/v2/apps/app/manifests/v1');
assert.equal(deleted.status, 404);
const charts = await fetch('http://127.0.0.1:8080/v2/charts/app/manifests/1.0.0');
assert.equal(charts.status, 200);
