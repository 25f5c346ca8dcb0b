import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandIn, type Command } from './lib/command.ts';
import { plainConf } from './lib/containers-conf.ts';
import { hosting } from './lib/hosting.ts';
import { image } from './lib/image.ts';
import { layover } from './lib/layover.ts';
import { run } from './lib/process.ts';
import { push } from './lib/push.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';

const CONTENT = image({ message: 'asked for in other words\n', layers: [200_000] });
const [CONFIG, PROGRAM, MESSAGE, NOISE] = CONTENT.blobs;

/** Where an image is asked for; to a mirror nothing is pushed. */
interface Place {
  readonly host: string;
  /** Of the image, without the tag. */
  readonly repository: string;
  readonly takes: 'pushes' | 'nothing';
}

const PLACES = ['docker-registry', 'Layover as a registry', 'Layover as a mirror'] as const;

suite("other tools' command lines", () => {
  let folder: Scratch;
  let places: Readonly<Record<(typeof PLACES)[number], Place>>;
  const stack = new AsyncDisposableStack();
  let steps = 0;
  before(async () => {
    folder = stack.use(await scratch());
    const registry = stack.use(await dockerRegistry(folder, { name: 'spoken' }));
    const home = stack.use(await hosting(folder));
    const upstreams = { 'quay.io': { url: registry.url } };
    const mirror = stack.use(await layover(folder, { name: 'mirror', upstreams }));
    for (const { url } of [registry, home]) await push(url, 'team/app', 'v1', CONTENT);
    const at = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`;
    const own = { repository: 'team/app', takes: 'pushes' } as const;
    places = {
      'docker-registry': { host: at(registry), ...own },
      'Layover as a registry': { host: at(home), ...own },
      'Layover as a mirror': {
        host: at(mirror),
        repository: 'quay.io/team/app',
        takes: 'nothing',
      },
    };
  });
  after(() => stack.disposeAsync());

  async function step(): Promise<{ readonly own: string; readonly ours: Command }> {
    steps += 1;
    const own = folder.at(`s${steps}`);
    await mkdir(own);
    return { own, ours: commandIn(own) };
  }

  const skopeo = async (own: string, ...args: readonly string[]): Promise<string> =>
    run('skopeo', ['--insecure-policy', '--tmpdir', own, ...args], { env: await plainConf(own) });

  for (const name of PLACES) {
    test(`crpy shows of ${name} what skopeo shows`, async () => {
      const { host, repository } = places[name];
      const { own, ours } = await step();
      const reference = `${host}/${repository}:v1`;
      const inspect = (...flags: string[]): Promise<string> =>
        skopeo(own, 'inspect', '--tls-verify=false', '--raw', ...flags, `docker://${reference}`);
      const crpy = (...line: string[]): Promise<string> => ours.run('crpy', ...line);
      assert.deepEqual(dictionary(await crpy('manifest', reference)), JSON.parse(await inspect()));
      const config = JSON.parse(await inspect('--config'));
      assert.deepEqual(dictionary(await crpy('config', reference)), config);
      const steps = config.history.map(({ created_by: step }: { created_by: string }) => step);
      assert.deepEqual((await crpy('commands', reference)).trimEnd().split('\n'), steps);
      const tags = ['list-tags', '--tls-verify=false', `docker://${host}/${repository}`];
      assert.deepEqual(
        (await crpy('tags', `${host}/${repository}`)).trimEnd().split('\n'),
        JSON.parse(await skopeo(own, ...tags)).Tags,
      );
    });

    test(`crpy takes from ${name} what skopeo finds right`, async () => {
      const { host, repository } = places[name];
      const { own, ours } = await step();
      const reference = `${host}/${repository}:v1`;
      await ours.run('crpy', 'pull', reference, 'app.tar');
      const archive = `docker-archive:${join(own, 'app.tar')}`;
      const config = await skopeo(own, 'inspect', '--raw', '--config', archive);
      assert.equal(config, Buffer.from(CONFIG?.bytes ?? []).toString());
      // It compares each layer with what the config says it is.
      await skopeo(own, 'copy', archive, `dir:${join(own, 'copied')}`);
      const layer = 'exec "$0" layer "$1" "$2" >"$3"';
      const program = join(import.meta.dirname, '../bin/crpy');
      for (const which of ['-1', NOISE?.digest ?? '']) {
        const line = ['-c', layer, program, reference, which, join(own, 'layer')];
        await run('sh', line, { env: { ...process.env, ...ours.env } });
        assert.equal(await sha256(join(own, 'layer')), NOISE?.digest);
      }
      const missing = await ours.attempt('crpy', 'manifest', `${host}/${repository}:none`);
      assert.deepEqual([missing.code, /MANIFEST_UNKNOWN/.test(missing.stdout)], [0, true]);
    });

    test(`crget takes a file and a layer from ${name}`, async () => {
      const { host, repository } = places[name];
      const { own, ours } = await step();
      const reference = `${host}/${repository}:v1`;
      await ours.run('crget', '--layer', '0', reference, 'program');
      assert.equal(await run(join(own, 'program'), []), CONTENT.message);
      assert.equal((await stat(join(own, 'program'))).mode & 0o777, 0o755);
      await ours.run('crget', '--layer', '1', '--archive', reference, 'tree');
      assert.equal(await readFile(join(own, 'tree/message'), 'utf8'), CONTENT.message);
      const refused = await ours.attempt('crget', reference, 'nothing');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Multiple layers detected/);
    });

    test(`layerslayer looks into ${name}`, async () => {
      const { host, repository } = places[name];
      const { own, ours } = await step();
      const reference = `${host}/${repository}:v1`;
      const peeked = await ours.run(
        'layerslayer',
        '-t',
        reference,
        '--bulk-peek',
        '--simple-output',
      );
      for (const path of ['hello', 'message', 'noise-0']) assert.match(peeked, new RegExp(path));
      await ours.run('layerslayer', '-t', reference, '--save-all');
      const saved = await run('find', [own, '-name', '*.tar.gz']);
      const digests = await Promise.all(
        saved
          .trim()
          .split('\n')
          .map((file) => sha256(file)),
      );
      for (const layer of [PROGRAM, MESSAGE, NOISE]) {
        assert.ok(digests.includes(layer?.digest ?? ''), saved);
      }
    });
  }

  for (const name of PLACES.slice(0, 2)) {
    test(`crpy pushes to ${name}, lists and deletes there`, async () => {
      const { host, repository } = places[name];
      const { own, ours } = await step();
      await ours.run('crpy', 'pull', `${host}/${repository}:v1`, 'app.tar');
      await ours.run('crpy', 'push', 'app.tar', `${host}/team/again:v2`);
      const pushed = `docker://${host}/team/again:v2`;
      const inspect = ['inspect', '--tls-verify=false', '--config', '--raw', pushed];
      const config = await skopeo(own, ...inspect);
      assert.equal(config, Buffer.from(CONFIG?.bytes ?? []).toString());
      const checked = `docker-archive:${join(own, 'checked.tar')}`;
      await skopeo(own, 'copy', '--src-tls-verify=false', pushed, checked);
      const repositories = (await ours.run('crpy', 'repositories', host)).trimEnd().split('\n');
      assert.deepEqual(repositories, ['team/again', 'team/app']);
      await ours.run('crpy', 'delete', `${host}/team/again:v2`);
      await assert.rejects(skopeo(own, ...inspect));
    });
  }
});

/** What crpy prints as Python would, of content without quotes in it. */
function dictionary(text: string): unknown {
  return JSON.parse(text.replaceAll("'", '"'));
}
