import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { certificate } from './lib/certificate.ts';
import { curl, curling } from './lib/curl.ts';
import { largest } from './lib/largest.ts';
import { LAUNCHER } from './lib/layover.ts';
import { metric } from './lib/metrics.ts';
import { start, type Running } from './lib/process.ts';
import { scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';
import { throttle, type Throttle } from './lib/throttle.ts';
import { tools } from './lib/tool.ts';
import { until } from './lib/until.ts';
import { upstreamsAt, world, type World } from './lib/world.ts';

const MiB = 1024 * 1024;
const LARGE = 'ghcr.io/org/large:v1';

interface Place extends AsyncDisposable {
  readonly here: World;
  readonly line: Throttle;
  /** Changes keys of the configuration's file, in one move. */
  readonly change: (keys: Readonly<Record<string, unknown>>) => Promise<void>;
}

/** A world behind a slow line, whose configuration can be changed. */
async function place(): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  let line: Throttle | undefined;
  const here = stack.use(
    await world(async () => ({
      between: async (upstream) => {
        line = stack.use(await throttle({ targetPort: upstream.port, bytesPerSecond: 16 * MiB }));
        return line.url;
      },
    })),
  );
  assert.ok(line !== undefined);
  const file = here.scratch.at('mirror.yaml');
  const first = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const whole = stack.move();
  return {
    here,
    line,
    change: async (keys) => {
      await writeFile(`${file}.new`, JSON.stringify({ ...first, ...keys }));
      await rename(`${file}.new`, file);
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/** The JSON lines that the server has written of reloads. */
function outcomes({ layover }: World): readonly Readonly<Record<string, unknown>>[] {
  return layover.process
    .lines()
    .filter((line) => line.includes('"msg":"configuration '))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** `skopeo copy` of an image that the mirror has by its prefix, into a folder. */
async function copying(here: World, name: string): Promise<{ running: Running; out: string }> {
  const tool = (await tools('skopeo')).find(({ missing }) => missing === undefined);
  assert.ok(tool !== undefined && tool.missing === undefined, 'no skopeo');
  const folder = await mkdtemp(here.scratch.at('skopeo-'));
  const out = join(folder, 'out');
  const [command, ...first] = tool.command('skopeo', folder);
  const from = `docker://127.0.0.1:${here.layover.port}/${name}`;
  const options = ['--insecure-policy', '--tmpdir', folder];
  const copy = ['copy', '--all', '--src-tls-verify=false', from, `dir:${out}`];
  return { running: await start(command, [...first, ...options, ...copy]), out };
}

async function copied(here: World, name: keyof World['shelf']): Promise<void> {
  const { running, out } = await copying(here, name);
  assert.equal((await running.exit).code, 0, running.lines().join('\n'));
  assert.equal(await sha256(join(out, 'manifest.json')), here.shelf[name].digest);
}

suite('a reload', () => {
  test('by signals and by changes of the file disturbs no pull', async () => {
    await using slow = await place();
    const { here, line, change } = slow;
    const { running, out } = await copying(here, LARGE);
    await line.until(4 * MiB);
    for (let n = 1; n <= 5; n += 1) {
      await change({ drain: `${n}s`, tags: { freshFor: `${n}m` }, hosted: [`apps${n}/**`] });
      here.layover.process.kill('SIGHUP');
      await delay(300);
    }
    assert.ok(line.passed() < 60 * MiB, 'the pull is under way');
    line.rate(Infinity);
    assert.equal((await running.exit).code, 0, running.lines().join('\n'));
    assert.equal(await sha256(join(out, 'manifest.json')), here.shelf[LARGE].digest);
    const blob = largest(here.shelf[LARGE].blobs);
    assert.equal(await sha256(join(out, blob.digest.replace('sha256:', ''))), blob.digest);
    assert.ok((await metric(here.layover.url, 'layover_config_reloads_total')) >= 5);
    assert.equal(
      await metric(here.layover.url, 'layover_config_reloads_total', { result: 'failure' }),
      0,
    );
    assert.equal(here.blobFetches().filter(({ path }) => path.includes(blob.digest)).length, 1);
  });

  test('takes an upstream away and brings another: pulls of the one end well, of the other begin', async () => {
    await using slow = await place();
    const { here, line, change } = slow;
    const blob = largest(here.shelf[LARGE].blobs);
    const path = `/v2/ghcr.io/org/large/blobs/${blob.digest}`;
    await using running = await curling(here.scratch.at('large'), here.layover.url + path);
    await line.until(8 * MiB);
    const { 'ghcr.io': _gone, ...others } = upstreamsAt(line.url);
    await change({
      upstreams: { ...others, 'ghcr.io': 'off', 'new.example': { url: here.upstream.url } },
    });
    await here.layover.process.until(/"msg":"configuration reloaded"/);
    const [outcome] = outcomes(here);
    assert.deepEqual(outcome?.['changed'], ['upstreams.ghcr.io', 'upstreams.new.example']);
    const refused = await curl(here.scratch, here.layover.url + path);
    assert.equal(refused.status, 404);
    assert.match(refused.body.toString(), /no key upstreams\.ghcr\.io/);
    line.rate(Infinity);
    assert.deepEqual(await running.exit, { code: 0, signal: null });
    assert.equal(await sha256(here.scratch.at('large')), blob.digest);

    const added = await copying(here, 'new.example/org/team/app:v1');
    assert.equal((await added.running.exit).code, 0, added.running.lines().join('\n'));
    const { digest } = here.shelf['quay.io/org/team/app:v1'];
    assert.equal(await sha256(join(added.out, 'manifest.json')), digest);
  });

  test('with faults changes nothing; every one of them is in the log', async () => {
    await using slow = await place();
    const { here, line, change } = slow;
    line.rate(Infinity);
    await change({ upstreams: { 'docker.io': { url: 'nowhere' } }, drain: 'soon', nonsense: 1 });
    await here.layover.process.until(/"msg":"configuration not reloaded/);
    const [outcome] = outcomes(here);
    const faults = outcome?.['faults'] as string[];
    for (const key of ['upstreams.docker.io.url', 'drain', 'nonsense']) {
      assert.ok(
        faults.some((fault) => fault.includes(` ${key}: `)),
        `${key}: ${faults.join('\n')}`,
      );
    }
    await copied(here, 'quay.io/org/team/app:v1');
    assert.equal(await metric(here.layover.url, 'layover_config_last_reload_successful'), 0);
    await change({});
    await here.layover.process.until(/"msg":"configuration reloaded"/);
    assert.equal(await metric(here.layover.url, 'layover_config_last_reload_successful'), 1);
  });

  test('shows a renewed certificate to who connects next', async () => {
    await using here = await world(async (folder) => ({ tls: await certificate(folder) }));
    const { authority: first } = here;
    assert.ok(first !== undefined);
    await using other = await scratch();
    const renewed = await certificate(other);
    // Under the same names: that of the first authority stays, for comparison.
    for (const name of ['cert', 'key'] as const) {
      await writeFile(`${first[name]}.new`, await readFile(renewed[name]));
      await rename(`${first[name]}.new`, first[name]);
    }
    await here.layover.process.until(/"renewed":\["[^"]+","[^"]+"\].*configuration reloaded/);
    const url = `${here.layover.url}/v2/`;
    assert.equal((await curl(here.scratch, url, '--cacert', renewed.ca)).status, 200);
    assert.equal((await curl(here.scratch, url, '--cacert', first.ca)).exit, 60);
  });

  test('follows a ConfigMap', async () => {
    await using here = await world();
    const mounted = (...parts: string[]): string => here.scratch.at('mounted', ...parts);
    const config = JSON.parse(await readFile(here.scratch.at('mirror.yaml'), 'utf8')) as object;
    await here.layover.process.stop('SIGTERM');
    /** As kubelet does it: a new folder, and one rename. */
    const swap = async (version: string, keys: object): Promise<void> => {
      await mkdir(mounted(version), { recursive: true });
      await writeFile(mounted(version, 'layover.yaml'), JSON.stringify({ ...config, ...keys }));
      await symlink(version, mounted('..data_tmp'));
      await rename(mounted('..data_tmp'), mounted('..data'));
    };
    await swap('..1', {});
    await symlink(join('..data', 'layover.yaml'), mounted('layover.yaml'));
    await using server = await start(LAUNCHER, ['serve', '--config', mounted('layover.yaml')]);
    await server.until(/"msg":"serving"/);
    const reloaded = (): number =>
      server.lines().filter((line) => /"changed":\["drain"\].*configuration reloaded/.test(line))
        .length;
    for (const version of [2, 3]) {
      await swap(`..${version}`, { drain: `${version}s` });
      await until(`version ${version} is in effect`, () => reloaded() === version - 1);
    }
  });
});
