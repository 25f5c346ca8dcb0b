import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { containerd } from './clients/containerd.ts';
import { skopeo } from './clients/skopeo.ts';
import { certificate } from './lib/certificate.ts';
import type { MakeClient } from './lib/client.ts';
import { curl } from './lib/curl.ts';
import { check } from './lib/pulls.ts';
import { tools } from './lib/tool.ts';
import { NAMES, world, type World } from './lib/world.ts';

suite('behind a certificate of an authority of our own', () => {
  let here: World;
  before(async () => {
    here = await world(async (scratch) => ({ tls: await certificate(scratch) }));
  });
  after(() => here?.[Symbol.asyncDispose]());

  const clients: readonly (readonly [string, MakeClient])[] = [
    ['skopeo', skopeo],
    ['containerd', (options) => containerd(options)],
  ];
  for (const [program, make] of clients) {
    test(`${program}, every version`, async (t) => {
      for (const tool of await tools(program)) {
        await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
          assert.ok(tool.missing === undefined);
          const folder = here.scratch.at(tool.label.replaceAll(/\W/g, '-'));
          await mkdir(folder);
          const client = await make({ tool, world: here, folder });
          for (const name of NAMES) check(await client(name), here.shelf[name]);
        });
      }
    });
  }

  test('curl trusts it with the authority and not without', async () => {
    const url = `${here.layover.url}/v2/`;
    assert.ok(here.authority !== undefined);
    const trusting = await curl(here.scratch, url, '--cacert', here.authority.ca);
    assert.equal(trusting.status, 200);
    const distrustful = await curl(here.scratch, url);
    assert.equal(distrustful.exit, 60);
  });
});
