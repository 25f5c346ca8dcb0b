import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandsUnder } from '../test/fixtures/documents.ts';
import { GREETING } from '../src/image/hello-world/image.ts';
import { eachVersion } from './lib/each-version.ts';
import { containerd as daemonOf } from './lib/containerd.ts';
import { hostsFolder } from './lib/hosts-toml.ts';
import { forThisHost, image } from './lib/image.ts';
import { LAUNCHER } from './lib/layover.ts';
import { namespace, startIn, type Namespace } from './lib/namespace.ts';
import { attempt, run, start, type Running } from './lib/process.ts';
import { push } from './lib/push.ts';
import { tools, type Present } from './lib/tool.ts';
import { world, type World } from './lib/world.ts';

const MiB = 1024 * 1024;
const HELLO = 'docker.io/library/hello:v1';
const APP = 'quay.io/org/team/app';

/** What the second mirror is told: the same names, and nobody behind them. */
const OFFLINE = {
  offline: true,
  upstreams: {
    'docker.io': { url: 'http://127.0.0.1:1' },
    'quay.io': { url: 'http://127.0.0.1:1' },
  },
};

suite('a place that no network reaches', () => {
  let here: World;
  let gap: Namespace;
  let served: Running;
  let url: string;
  const configured = (name: string): string => here.scratch.at(`${name}.yaml`);

  before(async () => {
    here = await world();
    gap = await namespace(`layover-e2e-${process.pid}`);
    await configure('gap');
    served = await startIn(gap, [LAUNCHER, 'serve', '--config', configured('gap')]);
    const [, port] = await served.until(/"port":(\d+).*"msg":"serving"/);
    url = `http://127.0.0.1:${port}`;
  });
  after(async () => {
    await served?.[Symbol.asyncDispose]();
    await gap?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  });

  async function configure(name: string): Promise<void> {
    const listen = '127.0.0.1:0';
    const storage = { path: here.scratch.at(name), minFree: 0 };
    const config = { listen, admin: { listen }, storage, ...OFFLINE };
    await writeFile(configured(name), JSON.stringify(config));
  }

  /** Runs commands of the document as they stand there; tells what they said. */
  async function documented(
    blocks: readonly string[],
    config: string,
    inside?: Namespace,
  ): Promise<string> {
    const PATH = `${dirname(LAUNCHER)}:${process.env['PATH']}`;
    const env = { PATH, LAYOVER_CONFIG: configured(config), HOME: here.scratch.path };
    const [first = 'sh', ...rest] = [...(inside?.enter ?? []), 'sh', '-euc'];
    let told = '';
    for (const commands of blocks) {
      const done = await attempt(first, [...rest, commands], { cwd: here.scratch.path, env });
      assert.equal(done.code, 0, done.stderr);
      told += done.stderr;
    }
    return told;
  }

  async function inTheGap(tool: Present, label: string, name: string, says: string): Promise<void> {
    const folder = here.scratch.at(label);
    const hosts = await hostsFolder(`${folder}-hosts`, url);
    const runc = (await run('sh', ['-c', 'command -v runc'])).trim();
    await using daemon = await daemonOf({ tool: gap.tool(tool), folder });
    const snapshotter = ['--snapshotter', 'native'];
    await daemon.ctr('image', 'pull', ...snapshotter, '--hosts-dir', hosts, name);
    const running = ['--rm', '--net-host', '--runc-binary', runc, ...snapshotter];
    assert.equal(await daemon.ctr('run', ...running, name, 'said'), says);
  }

  test('there is no way out of it', async () => {
    const [first, ...rest] = gap.enter;
    assert.equal((await run(first, [...rest, 'ip', 'route'])).trim(), '');
    const upstream = await attempt(first, [...rest, 'curl', '-sf', here.upstream.url]);
    assert.notEqual(upstream.code, 0);
  });

  test('by the commands of docs/air-gap.md a bundle is made here and taken in there', async () => {
    assert.match(
      await documented(await commandsUnder('docs/air-gap.md', 'Export'), 'mirror'),
      /images\.tar: 2 images/,
    );
    await assert.rejects(
      inTheGap((await present())[0], 'early', HELLO, ''),
      /not found|404|failed/,
      'it is not there before',
    );
    assert.match(
      await documented(await commandsUnder('docs/air-gap.md', 'Import'), 'gap', gap),
      /images\.tar: 2 images: \d+ blobs/,
    );
  });

  test('containerd pulls and runs it there, through the same hosts.toml', async (t) => {
    let run = 0;
    await eachVersion(t, 'containerd', async (tool) => {
      run += 1;
      await inTheGap(tool, `a${run}`, HELLO, here.shelf[HELLO].message);
      await inTheGap(tool, `b${run}`, `${APP}:v1`, here.shelf['quay.io/org/team/app:v1'].message);
    });
  });

  test('the difference follows', async (t) => {
    const newer = image({ message: 'hello again\n', layers: [10_000] });
    await push(here.upstream.url, 'org/team/app', 'v2', newer);
    await documented(await commandsUnder('docs/air-gap.md', 'The difference'), 'mirror');
    const [all, rest] = await Promise.all(
      ['images.tar', 'newer.tar'].map((name) => stat(here.scratch.at(name))),
    );
    assert.ok(rest !== undefined && all !== undefined && rest.size < all.size - 3 * MiB);
    // Elsewhere it is not enough, and what is missing is said.
    await configure('empty');
    const line = ['import', '--config', configured('empty'), here.scratch.at('newer.tar')];
    const refused = await attempt(LAUNCHER, line);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(forThisHost(here.shelf[HELLO]).digest));
    const [command, ...enter] = gap.enter;
    const taken = ['import', '--config', configured('gap'), here.scratch.at('newer.tar')];
    await run(command, [...enter, LAUNCHER, ...taken]);
    let runs = 0;
    await eachVersion(t, 'containerd', async (tool) => {
      runs += 1;
      await inTheGap(tool, `d${runs}`, `${APP}:v2`, newer.message);
      await inTheGap(tool, `e${runs}`, HELLO, here.shelf[HELLO].message);
    });
  });

  test('a third one is filled before it serves, from archives and a list', async () => {
    const [command = ''] = await commandsUnder('docs/air-gap.md', 'Before anybody is served');
    await writeFile(here.scratch.at('images.txt'), `# all of these\n${HELLO}\n`);
    await configure('third');
    const PATH = `${dirname(LAUNCHER)}:${process.env['PATH']}`;
    const env = { PATH, LAYOVER_CONFIG: configured('third') };
    const [first, ...rest] = gap.enter;
    const lines = [...rest, 'sh', '-euc', `exec ${command}`];
    await using third = await start(first, lines, { cwd: here.scratch.path, env });
    const [, port] = await third.until(/"port":(\d+).*"msg":"serving"/);
    for (const name of ['hello/manifests/v1', 'org/team/app/manifests/v2?ns=quay.io']) {
      const path = name.startsWith('hello') ? `library/${name}` : name;
      await run(first, [...rest, 'curl', '-sf', `http://127.0.0.1:${port}/v2/${path}`]);
    }
  });

  test('an image that is built in greets whoever runs it', async (t) => {
    const [command = ''] = await commandsUnder('docs/air-gap.md', 'Trying it');
    assert.equal(command, 'layover serve --hello-world');
    await using hello = await startIn(gap, [
      LAUNCHER,
      ...command.split(' ').slice(1),
      '--listen',
      '127.0.0.1:0',
    ]);
    const [, port] = await hello.until(/"port":(\d+).*"msg":"serving"/);
    await hello.until(/^to try it: /);
    url = `http://127.0.0.1:${port}`;
    let runs = 0;
    await eachVersion(t, 'containerd', async (tool) => {
      runs += 1;
      await inTheGap(tool, `h${runs}`, 'docker.io/library/hello-world:latest', GREETING);
    });
    assert.equal((await hello.stop('SIGTERM')).code, 0);
  });

  async function present(): Promise<readonly [Present, ...Present[]]> {
    const [first, ...others] = (await tools('containerd')).filter(
      (tool) => tool.missing === undefined,
    );
    assert.ok(first !== undefined);
    return [first, ...others];
  }
});
