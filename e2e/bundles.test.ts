import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandIn, type Command } from './lib/command.ts';
import { containerd as daemonOf } from './lib/containerd.ts';
import { emptyStorage, plainConf } from './lib/containers-conf.ts';
import { forThisHost, hostArchitecture, type Image } from './lib/image.ts';
import { run } from './lib/process.ts';
import { dockerRegistry, type Registry } from './lib/registry.ts';
import { tools, type Present } from './lib/tool.ts';
import { world, type World } from './lib/world.ts';

const HELLO = 'docker.io/library/hello:v1';
const APP = 'quay.io/org/team/app:v1';

/** Runs a program of a tool with nothing of this machine's settings. */
async function using(tool: Present, program: string, folder: string) {
  const env = await plainConf(folder);
  await mkdir(join(folder, 'run'), { recursive: true });
  const [command, ...first] = tool.command(program, folder);
  return (...args: readonly string[]) => run(command, [...first, ...args], { env, cwd: folder });
}

suite('bundles and the archives of others', () => {
  let here: World;
  let registry: Registry;
  let bundle: string;
  let one: string;
  let steps = 0;

  before(async () => {
    here = await world();
    registry = await dockerRegistry(here.scratch, { name: 'other' });
    bundle = here.scratch.at('both.tar');
    one = here.scratch.at('one.tar');
    const ours = commandIn(here.scratch.path);
    const config = ['--config', here.scratch.at('mirror.yaml')];
    await ours.run('layover', 'prefetch', '-q', ...config, '--platform', 'all', HELLO, APP);
    await ours.run('layover', 'export', '-q', ...config, HELLO, APP, '-o', bundle);
    await ours.run('layover', 'export', '-q', ...config, APP, '-o', one);
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  });

  async function step(): Promise<{ readonly folder: string; readonly ours: Command }> {
    steps += 1;
    const folder = here.scratch.at(`s${steps}`);
    await mkdir(folder);
    const upstreams = Object.fromEntries(
      ['docker.io', 'quay.io'].map((host) => [host, { url: 'http://127.0.0.1:1' }]),
    );
    const storage = { path: join(folder, 'store'), minFree: 0 };
    const config = { storage, upstreams, offline: true };
    await writeFile(join(folder, 'layover.yaml'), JSON.stringify(config));
    return { folder, ours: commandIn(folder, { LAYOVER_CONFIG: join(folder, 'layover.yaml') }) };
  }

  function each(title: string, program: string, check: (tool: Present) => Promise<void>): void {
    test(title, async (t) => {
      for (const tool of await tools(program)) {
        await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
          assert.ok(tool.missing === undefined);
          await check(tool);
        });
      }
    });
  }

  /** Imports what somebody else has saved; what the store then has of it is the image. */
  async function imports(ours: Command, place: string, name: string, image: Image): Promise<void> {
    const host = forThisHost(image);
    await ours.run('layover', 'import', '-q', '--as', name, place);
    const out = join(ours.env['HOME'] ?? '', 'again.tar');
    await ours.run('layover', 'export', '-q', name, '-o', out);
    const said = await ours.run('layover', 'cat', '-q', `oci-archive:${out}:${name}`, '/message');
    assert.equal(said, host.message);
  }

  each('skopeo finds images of a bundle by their whole names', 'skopeo', async (tool) => {
    const { folder } = await step();
    const skopeo = await using(tool, 'skopeo', folder);
    await run('cp', [bundle, folder]);
    for (const [name, image] of [
      [HELLO, here.shelf[HELLO]],
      [APP, here.shelf[APP]],
    ] as const) {
      const raw = await skopeo('inspect', '--raw', `oci-archive:${folder}/both.tar:${name}`);
      assert.equal(raw, Buffer.from(image.bytes).toString());
      const all = image.children.length > 0 ? ['--multi-arch', 'all'] : [];
      const to = `dir:${folder}/${image.digest.slice(7, 19)}`;
      const from = `oci-archive:${folder}/both.tar:${name}`;
      await skopeo('--insecure-policy', '--tmpdir', folder, 'copy', ...all, from, to);
    }
  });

  each('podman loads a bundle and runs what is in it', 'podman', async (tool) => {
    const { folder } = await step();
    const podman = await using(tool, 'podman', folder);
    await using storage = await emptyStorage(folder);
    await run('cp', [one, folder]);
    await podman(...storage.options, 'load', '--quiet', '--input', join(folder, 'one.tar'));
    const listed = await podman(
      ...storage.options,
      'images',
      '--format',
      '{{.Repository}}:{{.Tag}}',
    );
    assert.match(listed, new RegExp(`^${APP}$`, 'm'));
  });

  each('containerd imports a bundle and runs what is in it', 'containerd', async (tool) => {
    const { folder } = await step();
    await using daemon = await daemonOf({ tool, folder: join(folder, 'c') });
    const snapshotter = ['--snapshotter', 'native'];
    await daemon.ctr('image', 'import', ...snapshotter, bundle);
    const listed = await daemon.ctr('image', 'ls', '-q');
    for (const name of [HELLO, APP]) assert.match(listed, new RegExp(`^${name}$`, 'm'));
    const runc = (await run('sh', ['-c', 'command -v runc'])).trim();
    const running = ['--rm', '--net-host', '--runc-binary', runc, ...snapshotter];
    assert.equal(await daemon.ctr('run', ...running, HELLO, 'x'), here.shelf[HELLO].message);
  });

  each('crane pushes a bundle of one image', 'crane', async (tool) => {
    const { folder } = await step();
    const crane = await using(tool, 'crane', folder);
    const to = `127.0.0.1:${registry.port}/bundles/app:s${steps}`;
    await crane('push', one, to);
    const config = Buffer.from(here.shelf[APP].blobs[0]?.bytes ?? []).toString();
    assert.equal((await crane('config', to)).trim(), config);
  });

  for (const transport of ['oci-archive', 'docker-archive', 'oci'] as const) {
    each(`what skopeo saves as ${transport} is imported`, 'skopeo', async (tool) => {
      const { folder, ours } = await step();
      const skopeo = await using(tool, 'skopeo', folder);
      const from = `docker://127.0.0.1:${here.layover.port}/library/hello:v1`;
      const to = join(folder, 'saved');
      const copy = ['--insecure-policy', '--tmpdir', folder, 'copy', '--src-tls-verify=false'];
      await skopeo(...copy, from, `${transport}:${to}${transport === 'oci' ? ':v1' : ''}`);
      await imports(ours, to, HELLO, here.shelf[HELLO]);
    });
  }

  for (const format of ['oci-archive', 'docker-archive'] as const) {
    each(`what podman saves as ${format} is imported`, 'podman', async (tool) => {
      const { folder, ours } = await step();
      const podman = await using(tool, 'podman', folder);
      await using storage = await emptyStorage(folder);
      const from = `127.0.0.1:${here.layover.port}/library/hello:v1`;
      await podman(...storage.options, 'pull', '--quiet', '--tls-verify=false', from);
      const file = join(folder, 'saved.tar');
      const save = ['save', '--quiet', `--format=${format}`, '--output', file, from];
      await podman(...storage.options, ...save);
      await imports(ours, file, HELLO, here.shelf[HELLO]);
    });
  }

  for (const format of ['tarball', 'legacy', 'oci'] as const) {
    each(`what crane saves as ${format} is imported`, 'crane', async (tool) => {
      const { folder, ours } = await step();
      const crane = await using(tool, 'crane', folder);
      const from = `127.0.0.1:${here.layover.port}/library/hello:v1`;
      const to = join(folder, 'saved');
      const platform = ['--platform', `linux/${hostArchitecture()}`];
      await crane('pull', `--format=${format}`, ...platform, from, to);
      await imports(ours, to, HELLO, here.shelf[HELLO]);
    });
  }

  each('what containerd exports is imported', 'containerd', async (tool) => {
    const { folder, ours } = await step();
    await using daemon = await daemonOf({ tool, folder: join(folder, 'c') });
    await daemon.ctr('image', 'import', '--snapshotter', 'native', bundle);
    const file = join(folder, 'saved.tar');
    await daemon.ctr('image', 'export', '--platform', `linux/${hostArchitecture()}`, file, HELLO);
    const { stdout } = await ours.attempt('layover', 'import', file);
    assert.match(stdout, new RegExp(`^${HELLO} `, 'm'));
  });
});
