import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { glob, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { digestOf } from '../../src/core/digest.ts';
import { gate } from '../fixtures/gate.ts';
import { file, layerOf } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { session } from './session.ts';

for (const processes of [2, 4]) {
  test(`${processes} that pull the same image at once fetch it once`, async () => {
    await using registry = await startRegistry();
    await using at = await session();
    registry.addImage('team/app', '1', {
      layers: [1, 2, 3, 4, 5, 6].map((seed) =>
        layerOf([file(`file-${seed}`, randomBytes(200_000 * seed))]),
      ),
    });
    const content = { method: 'GET', path: /\/blobs\// };
    const held = gate();
    registry.misbehave(content, { kind: 'hold-body', at: 100_000, gate: held });
    const names = Array.from({ length: processes }, (_, index) => `${index}.tar`);
    const runs = names.map((name) =>
      at.layover(['pull', '-o', name, `${registry.host}/team/app:1`]),
    );
    // Each has written something of what one of them was sent.
    for (const name of names) while ((await written(at.folder, name)) < 50_000) await turn();
    held.open();
    const ran = await Promise.all(runs);
    for (const { code, error } of ran) assert.equal(code, 0, error);
    const archives = await Promise.all(names.map((name) => readFile(path.join(at.folder, name))));
    for (const archive of archives) assert.ok(archive.equals(archives[0] ?? Buffer.alloc(0)));
    const { layers, config } = await image(at, registry.host);
    assert.equal(registry.bytesSent(content), layers + config);
    assert.ok(ran.some(({ error }) => /from another process/.test(error)));
  });
}

test('one whose disk takes no more leaves the other one to go on by itself', async () => {
  await using registry = await startRegistry();
  await using at = await session();
  const layer = layerOf([file('large', randomBytes(3_000_000))]);
  registry.addImage('team/app', '1', { layers: [layer] });
  const image = `${registry.host}/team/app:1`;
  const content = { method: 'GET', path: /\/blobs\// };
  const held = gate();
  registry.misbehave(content, { kind: 'hold-body', at: 500_000, gate: held });
  const owner = at.start(['pull', '-o', 'a.tar', image], { blocks: 2000 });
  while ((await written(at.folder, 'a.tar')) < 50_000) await turn();
  const other = at.start(['pull', '-o', 'b.tar', image]);
  while ((await written(at.folder, 'b.tar')) < 50_000) await turn();
  held.open();
  const [full, whole] = await Promise.all([owner.ran, other.ran]);
  assert.equal(full.code, 1);
  assert.match(full.error, /cannot write/);
  assert.equal(whole.code, 0, whole.error);
  assert.match(whole.error, /from another process/);
  assert.ok((await readFile(path.join(at.folder, 'b.tar'))).includes(layer));
  assert.deepEqual(await at.files(), ['b.tar']);
});

test('a layer is right while another process is sent something else for it by another registry', async () => {
  await using wrong = await startRegistry();
  await using right = await startRegistry();
  await using at = await session();
  const layer = layerOf([file('large', randomBytes(500_000))]);
  for (const registry of [wrong, right]) registry.addImage('team/app', '1', { layers: [layer] });
  const content = { method: 'GET', path: new RegExp(digestOf(layer)) };
  const held = gate();
  wrong.misbehave(content, { kind: 'flip', at: 1000 });
  wrong.misbehave(content, { kind: 'hold-body', at: 200_000, gate: held });
  const other = at.start(['pull', '-o', 'a.tar', `${wrong.host}/team/app:1`]);
  while ((await written(at.folder, 'a.tar')) < 50_000) await turn();
  const { code, error } = await at.layover(['layer', `${right.host}/team/app:1`, '0', '-o', 'lay']);
  assert.equal(code, 0, error);
  assert.ok((await readFile(path.join(at.folder, 'lay'))).equals(layer));
  held.open();
  assert.equal((await other.ran).code, 1);
});

/** Bytes of an archive that is on its way. */
async function written(folder: string, name: string): Promise<number> {
  const [partial] = await Array.fromAsync(glob(`.${name}.*.partial`, { cwd: folder }));
  if (partial === undefined) return 0;
  const { blocks } = await stat(path.join(folder, partial));
  return blocks * 512;
}

/** Bytes, as the cache has them by now. */
async function image(at: Awaited<ReturnType<typeof session>>, host: string) {
  const { out } = await at.layover(['manifest', `${host}/team/app:1`]);
  const parsed = JSON.parse(out) as {
    readonly config: { readonly size: number };
    readonly layers: readonly { readonly size: number }[];
  };
  return {
    config: parsed.config.size,
    layers: parsed.layers.reduce((sum, { size }) => sum + size, 0),
  };
}
