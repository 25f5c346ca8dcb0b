import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { glob } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gate } from '../fixtures/gate.ts';
import { file, layerOf } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { session } from './session.ts';

/** Bytes of a layer after which nothing comes any more. */
const HELD_AT = 100_000;

/** What is written, and under which name it appears. */
const LINES: readonly (readonly [readonly string[], string])[] = [
  [['pull', '-q', '-o', 'app.tar', 'IMAGE'], 'app.tar'],
  [['pull', '-q', '--format', 'oci', '-o', 'app', 'IMAGE'], 'app'],
  [['get', '-q', '-o', 'saved', 'IMAGE', '/large'], 'saved'],
  [['get', '-q', '-o', 'saved', 'IMAGE', '/'], 'saved'],
  [['layer', '-q', '-o', 'layer', 'IMAGE', '0'], 'layer'],
];

for (const [line, target] of LINES) {
  test(`killed in ${line.slice(0, -1).join(' ')}: the next one clears up, and never after the living`, async () => {
    await using registry = await startRegistry();
    await using at = await session();
    const { layers } = registry.addImage('team/app', '1', {
      layers: [layerOf([file('large', randomBytes(3_000_000)), file('last', 'z')])],
    });
    const image = `${registry.host}/team/app:1`;
    const command = [...line.map((word) => (word === 'IMAGE' ? image : word)), '--no-cache'];
    const closed = gate();
    const content = { method: 'GET', path: new RegExp(`blobs/${layers[0]?.digest}`) };
    const unfinished = (): Promise<string[]> =>
      Array.fromAsync(glob(['.*.partial', '*/.*.partial'], { cwd: at.folder }));
    // A file is asked for in pieces, of which the first are shorter.
    const held = (): number =>
      registry.requests.filter(({ path, bytesSent }) => {
        return content.path.test(path) && bytesSent >= HELD_AT;
      }).length;
    const begin = async () => {
      const undo = registry.misbehave(content, { kind: 'hold-body', at: HELD_AT, gate: closed });
      const known = await unfinished();
      const before = held();
      const { child, ran } = at.start(command);
      while (!(await unfinished()).some((name) => !known.includes(name)) || held() === before) {
        await turn();
      }
      undo();
      return async () => {
        child.kill('SIGKILL');
        await ran;
      };
    };
    const kill = await begin();
    await kill();
    const left = await at.files();
    assert.ok(left.length > 0, 'a process that is killed leaves something');
    assert.ok(!left.includes(target));

    const killOther = await begin();
    const living = await at.files();
    assert.ok(living.length > 0);
    for (const name of left)
      assert.ok(!living.includes(name), `${name} of the dead is still there`);

    const meanwhile = await at.layover(command);
    assert.equal(meanwhile.code, 0, meanwhile.error);
    assert.deepEqual(await at.files(), [...living, target].toSorted());

    await killOther();
    const after = await at.layover(command);
    assert.equal(after.code, 0, after.error);
    assert.deepEqual(await at.files(), [target]);

    // A layout has the layer by now, and asks for it no more.
    if (line.includes('oci')) return closed.open();
    // Into a folder that is there what is written has its beginnings within.
    const killLast = await begin();
    await killLast();
    assert.equal((await unfinished()).length, 1);
    const last = await at.layover(command);
    assert.equal(last.code, 0, last.error);
    assert.deepEqual([await at.files(), await unfinished()], [[target], []]);
    closed.open();
  });
}
