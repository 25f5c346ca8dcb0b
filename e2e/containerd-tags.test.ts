import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { containerd } from './clients/containerd.ts';
import type { Client } from './lib/client.ts';
import { LAUNCHER, layover } from './lib/layover.ts';
import { run } from './lib/process.ts';
import { check } from './lib/pulls.ts';
import { tools, type Present } from './lib/tool.ts';
import { until } from './lib/until.ts';
import { upstreamsAt, world, type World } from './lib/world.ts';

const APP = 'quay.io/org/team/app:v1';
const HELLO = 'docker.io/library/hello:v1';
const FRESH_FOR = 1_000;

/**
 * containerd asks what a tag means with HEAD, and for the manifest by digest: no request ever has the
 * manifest by its tag. What it pulled is to be there by its tag all the same.
 */
for (const tool of await tools('containerd')) {
  const title = `${tool.label} has pulled images once`;
  if (tool.missing !== undefined) test(title, { skip: tool.missing });
  else suite(title, () => remembered(tool));
}

function remembered(tool: Present): void {
  let here: World;
  let client: Client;
  before(async () => {
    here = await world(async () => ({ config: { tags: { freshFor: `${FRESH_FOR}ms` } } }));
    const folder = here.scratch.at('client');
    await mkdir(folder);
    client = await containerd({ tool, world: here, folder });
    for (const name of [APP, HELLO] as const) check(await client(name), here.shelf[name]);
  });
  after(() => here?.[Symbol.asyncDispose]());

  const mirror = (...args: readonly string[]): Promise<string> => {
    const [verb = '', ...rest] = args;
    return run(LAUNCHER, [verb, '--config', here.scratch.at('mirror.yaml'), ...rest]);
  };

  test('and did so with no GET by tag', () => {
    const byTag = here.layover.process
      .lines()
      .filter((line) => line.includes('"method":"GET"') && line.includes('/manifests/v1'));
    assert.deepEqual(byTag, []);
  });

  test('they are listed by their tags, can be pinned and carried away', async () => {
    await until('the tags are listed', async () => {
      const listed = await mirror('ls-cache', '--no-header', '--columns', 'image');
      return [APP, HELLO].every((name) => listed.split('\n').includes(name));
    });
    await mirror('pin', APP);
    const kept = await mirror('ls-cache', '--no-header', '--columns', 'image,kept', APP);
    assert.match(kept, /pinned/);
    await mirror('export', '-q', APP, '-o', here.scratch.at('carried.tar'));
  });

  test('they go on when the upstream has ended and the tags are no longer fresh', async () => {
    await here.upstream.process.stop('SIGKILL');
    await delay(FRESH_FOR);
    for (const name of [APP, HELLO] as const) check(await client(name), here.shelf[name]);
  });

  for (const [how, config] of [
    ['after a restart', {}],
    ['offline', { offline: true }],
  ] as const) {
    test(`they go on ${how}`, async () => {
      const { port, process } = here.layover;
      await process.stop('SIGTERM');
      const upstreams = upstreamsAt(here.upstream.url);
      await using _again = await layover(here.scratch, { name: 'mirror', upstreams, port, config });
      for (const name of [APP, HELLO] as const) check(await client(name), here.shelf[name]);
    });
  }
}
