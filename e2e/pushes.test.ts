import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { hosting } from './lib/hosting.ts';
import { image } from './lib/image.ts';
import type { Layover } from './lib/layover.ts';
import { writeLayout } from './lib/layout.ts';
import type { MakePusher, Pusher } from './lib/pusher.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';
import { buildah } from './pushers/buildah.ts';
import { crane } from './pushers/crane.ts';
import { oras } from './pushers/oras.ts';
import { podman } from './pushers/podman.ts';
import { skopeo } from './pushers/skopeo.ts';

const MiB = 1024 * 1024;
const MAKERS: Readonly<Record<string, MakePusher>> = { podman, buildah, skopeo, crane, oras };
/** They copy what there is; the others make manifests of their own from what they unpacked. */
const COPIES = new Set(['skopeo', 'crane', 'oras']);

interface Entry {
  readonly program: string;
  readonly label: string;
  readonly make: (folder: string) => Promise<Pusher>;
}

const missing: [label: string, reason: string][] = [];
const entries: Entry[] = [];
for (const [program, maker] of Object.entries(MAKERS)) {
  for (const tool of await tools(program)) {
    if (tool.missing !== undefined) missing.push([tool.label, tool.missing]);
    else {
      const make = (folder: string): Promise<Pusher> => maker({ tool, folder });
      entries.push({ program, label: tool.label, make });
    }
  }
}

for (const [label, skip] of missing) test(`${label} pushes and pulls`, { skip }, () => undefined);

/** Every client pushes to a repository of its own; then every client pulls what every client pushed. */
suite('what is pushed is pulled', () => {
  const pushers = new Map<string, Pusher>();
  const pushed = new Map<string, string>();
  let folder: Scratch;
  let registry: Layover;
  before(async () => {
    folder = await scratch();
    registry = await hosting(folder);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  for (const [at, { program, label, make }] of entries.entries()) {
    test(`${label} pushes, and pushes the same again`, async () => {
      const own = folder.at(`c${at}`);
      await mkdir(own);
      const client = await make(own);
      pushers.set(label, client);
      const content = image({ message: `pushed by ${label}\n`, layers: [2 * MiB, 100] });
      const layout = join(own, 'layout');
      await writeLayout(layout, content, 'v1');
      const reference = `127.0.0.1:${registry.port}/apps/${program}-${at}:v1`;
      const digest = await client.push(layout, reference);
      assert.match(digest, /^sha256:[0-9a-f]{64}$/);
      if (COPIES.has(program)) assert.equal(digest, content.digest);
      assert.equal(await client.push(layout, reference), digest);
      pushed.set(reference, digest);
    });
  }

  for (const { label } of entries) {
    test(`${label} pulls everything, digest by digest`, async () => {
      assert.notEqual(pushed.size, 0);
      const client = pushers.get(label);
      for (const [reference, digest] of pushed) {
        assert.equal(await client?.pull(reference), digest, reference);
      }
    });
  }
});
