import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { eachVersion } from './lib/each-version.ts';
import { commandIn, type Command } from './lib/command.ts';
import { emptyStorage, plainConf } from './lib/containers-conf.ts';
import { dockerSaved } from './lib/docker-saved.ts';
import { hostArchitecture, image, repeated } from './lib/image.ts';
import { push } from './lib/push.ts';
import { run } from './lib/process.ts';
import { dockerRegistry, type Registry } from './lib/registry.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import type { Present } from './lib/tool.ts';

const CONTENT = image({ message: 'in many places\n', layers: [300_000, 10] });
const CONFIG = Buffer.from(CONTENT.blobs[0]?.bytes ?? []).toString();

/** Has a tool save `from` (host:port/name:tag) in the folder; tells the place in our words. */
type Save = (tool: Present, folder: string, from: string) => Promise<string>;

function bySkopeo(transport: string, file: string): Save {
  return async (tool, folder, from) => {
    const place = `${transport}:${join(folder, file)}`;
    const env = await plainConf(folder);
    const [command, ...first] = tool.command('skopeo', folder);
    const options = ['--insecure-policy', '--tmpdir', folder, 'copy', '--src-tls-verify=false'];
    await run(command, [...first, ...options, `docker://${from}`, `${place}:app:v1`], { env });
    return transport === 'oci' || transport === 'oci-archive' ? `${place}:app:v1` : place;
  };
}

function byPodman(format: string): Save {
  return async (tool, folder, from) => {
    const env = await plainConf(folder);
    await mkdir(join(folder, 'run'));
    await using storage = await emptyStorage(folder);
    const [command, ...first] = tool.command('podman', folder);
    const podman = (...args: string[]): Promise<string> =>
      run(command, [...first, ...storage.options, ...args], { env });
    await podman('pull', '--quiet', '--tls-verify=false', from);
    const file = join(folder, 'saved.tar');
    await podman('save', '--quiet', `--format=${format}`, '--output', file, from);
    return `${format}:${file}`;
  };
}

async function byBuildah(tool: Present, folder: string, from: string): Promise<string> {
  const env = await plainConf(folder);
  await using storage = await emptyStorage(folder);
  const [command, ...first] = tool.command('buildah', folder);
  const buildah = (...args: string[]): Promise<string> =>
    run(command, [...first, ...storage.options, ...args], { env });
  await buildah('pull', '--quiet', '--tls-verify=false', from);
  const place = `docker-archive:${join(folder, 'saved.tar')}`;
  await buildah('push', '--quiet', from, `${place}:places/app:v1`);
  return place;
}

function byCrane(format: string, transport: string): Save {
  return async (tool, folder, from) => {
    const to = join(folder, 'saved');
    const [command, ...first] = tool.command('crane', folder);
    const platform = ['--platform', `linux/${hostArchitecture()}`];
    const args = ['pull', `--format=${format}`, ...platform, from, to];
    await run(command, [...first, ...args], { env: { HOME: folder } });
    return `${transport}:${to}`;
  };
}

const SAVED: readonly (readonly [what: string, program: string, save: Save])[] = [
  ['docker-archive of', 'skopeo', bySkopeo('docker-archive', 'saved.tar')],
  ['oci of', 'skopeo', bySkopeo('oci', 'saved')],
  ['oci-archive of', 'skopeo', bySkopeo('oci-archive', 'saved.tar')],
  ['docker-archive of', 'podman', byPodman('docker-archive')],
  ['oci-archive of', 'podman', byPodman('oci-archive')],
  ['docker-archive of', 'buildah', byBuildah],
  ['tarball of', 'crane', byCrane('tarball', 'docker-archive')],
  ['legacy tarball of', 'crane', byCrane('legacy', 'docker-archive')],
  ['oci of', 'crane', byCrane('oci', 'oci')],
];

suite('places between tools', () => {
  let folder: Scratch;
  let registry: Registry;
  let reference: string;
  let steps = 0;
  before(async () => {
    folder = await scratch();
    registry = await dockerRegistry(folder, { name: 'places' });
    reference = `127.0.0.1:${registry.port}/places/app:v1`;
    await push(registry.url, 'places/app', 'v1', CONTENT);
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  /** A short name: podman wants no more than 50 characters. */
  async function step(): Promise<{
    readonly own: string;
    readonly ours: Command;
    readonly to: string;
  }> {
    steps += 1;
    const own = folder.at(`s${steps}`);
    await mkdir(own);
    const to = `127.0.0.1:${registry.port}/places/s${steps}:v1`;
    return { own, ours: commandIn(own), to };
  }

  for (const [what, program, save] of SAVED) {
    test(`${what} ${program} is read, looked into and pushed`, async (t) => {
      await eachVersion(t, program, async (tool) => {
        const { own, ours, to } = await step();
        const place = await save(tool, own, reference);
        assert.deepEqual(
          JSON.parse(await ours.run('layover', 'config', '--json', place)),
          JSON.parse(CONFIG),
        );
        assert.equal(await ours.run('layover', 'cat', '-q', place, '/message'), CONTENT.message);
        await ours.run('layover', 'push', '-q', place, to);
        const env = await plainConf(own);
        const inspect = ['inspect', '--tls-verify=false', '--config', '--raw', `docker://${to}`];
        assert.equal(await run('skopeo', inspect, { env }), CONFIG);
        // It compares every layer with what the config says it is.
        const copy = ['--insecure-policy', 'copy', '--src-tls-verify=false', `docker://${to}`];
        await run('skopeo', [...copy, `docker-archive:${join(own, 'checked.tar')}`], { env });
      });
    });
  }

  for (const version of [24, 25] as const) {
    test(`what docker ${version} saves is read, looked into, copied and pushed`, async () => {
      const { own, ours, to } = await step();
      // A layer that comes again, which the old way leaves out.
      const content = repeated(CONTENT);
      const file = await dockerSaved(content, { folder: own, name: 'places/app:v1', version });
      const config = Buffer.from(content.blobs[0]?.bytes ?? []).toString();
      const place = `docker-archive:${file}`;
      const said = await ours.run('layover', 'config', '--json', place);
      assert.deepEqual(JSON.parse(said), JSON.parse(config));
      assert.equal(await ours.run('layover', 'cat', '-q', place, '/message'), CONTENT.message);
      await ours.run('layover', 'push', '-q', file, to);
      await ours.run('layover', 'copy', '-q', place, 'oci:layout:v1');
      await ours.run('crpy', 'push', file, `${to}-crpy`);
      const env = await plainConf(own);
      for (const pushed of [
        `docker://${to}`,
        `docker://${to}-crpy`,
        `oci:${join(own, 'layout')}:v1`,
      ]) {
        const plain = pushed.startsWith('docker:') ? ['--tls-verify=false'] : [];
        const inspect = ['inspect', ...plain, '--config', '--raw', pushed];
        assert.equal(await run('skopeo', inspect, { env }), config);
        const source = plain.map((flag) => flag.replace('--', '--src-'));
        const checked = `dir:${join(own, 'checked')}`;
        await run('skopeo', ['--insecure-policy', 'copy', ...source, pushed, checked], { env });
        // It compares every layer with what the config says it is.
        const archive = `docker-archive:${join(own, 'checked.tar')}`;
        await rm(join(own, 'checked.tar'), { force: true });
        await run('skopeo', ['--insecure-policy', 'copy', checked, archive], { env });
      }
    });
  }

  test('our archive is read by buildah', async (t) => {
    await eachVersion(t, 'buildah', async (tool) => {
      const { own, ours } = await step();
      const env = await plainConf(own);
      await using storage = await emptyStorage(own);
      const [command, ...first] = tool.command('buildah', own);
      const buildah = async (...args: string[]): Promise<string> =>
        (await run(command, [...first, ...storage.options, ...args], { env })).trim();
      await ours.run('layover', 'pull', '-q', '-o', 'app.tar', reference);
      const container = await buildah('from', '--quiet', `docker-archive:${join(own, 'app.tar')}`);
      const root = await buildah('mount', container);
      assert.equal(await run('cat', [join(root, 'message')]), CONTENT.message);
      await buildah('umount', container);
    });
  });

  test('our archive is loaded and saved by podman, and comes back the same', async (t) => {
    await eachVersion(t, 'podman', async (tool) => {
      const { own, ours, to } = await step();
      const env = await plainConf(own);
      await mkdir(join(own, 'run'));
      await using storage = await emptyStorage(own);
      const [command, ...first] = tool.command('podman', own);
      const podman = (...args: string[]): Promise<string> =>
        run(command, [...first, ...storage.options, ...args], { env });
      await ours.run('layover', 'pull', '-q', '-o', 'app.tar', reference);
      await podman('load', '--quiet', '--input', join(own, 'app.tar'));
      const again = join(own, 'again.tar');
      await podman('save', '--quiet', '--format=docker-archive', '--output', again, reference);
      await ours.run('layover', 'push', '-q', again, to);
      assert.equal(await ours.run('layover', 'cat', '-q', to, '/message'), CONTENT.message);
      const inspect = ['inspect', '--tls-verify=false', '--config', '--raw', `docker://${to}`];
      assert.equal(await run('skopeo', inspect, { env }), CONFIG);
    });
  });

  test('our layout is unpacked by umoci', async () => {
    const { own, ours } = await step();
    await ours.run('layover', 'pull', '-q', '--format', 'oci', '-o', 'layout', reference);
    const umoci = (...args: string[]): Promise<string> => run('umoci', args, { cwd: own });
    const [tag] = (await umoci('ls', '--layout', 'layout')).trim().split('\n');
    await umoci('unpack', '--image', `layout:${tag}`, 'bundle');
    assert.equal(await run('cat', [join(own, 'bundle/rootfs/message')]), CONTENT.message);
  });

  test('our layout and our archive are pushed by crane', async (t) => {
    await eachVersion(t, 'crane', async (tool) => {
      const { own, ours, to } = await step();
      const [command, ...first] = tool.command('crane', own);
      const crane = (...args: string[]): Promise<string> =>
        run(command, [...first, ...args], { env: { HOME: own }, cwd: own });
      await ours.run('layover', 'pull', '-q', '--format', 'oci', '-o', 'layout', reference);
      await crane('push', 'layout', to);
      assert.equal((await crane('digest', to)).trim(), CONTENT.digest);
      await ours.run('layover', 'pull', '-q', '-o', 'app.tar', reference);
      await crane('validate', '--tarball', 'app.tar');
      await crane('push', 'app.tar', `${to}-tar`);
      assert.equal((await crane('config', `${to}-tar`)).trim(), CONFIG);
    });
  });
});
