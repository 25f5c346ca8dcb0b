import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Missed } from '../../src/cli/upkeep-actions.ts';
import { noActions, noUpkeep } from './no-actions.ts';
import { typed } from './typed.ts';

function ran(missed: Missed | undefined, ...line: readonly string[]) {
  return typed(line, {
    actions: {
      ...noActions,
      upkeep: {
        ...noUpkeep,
        evict: async () => ({ blobs: 1, bytes: 1024 }),
        async *leaving() {},
        missed: async () => missed,
        prune: async () => ({ blobs: 0, bytes: 0, images: [] }),
        spared: async () =>
          new Map([
            ['pinned', 2],
            ['gone', 1],
          ]),
        pin: async () => 'changed',
        stranger: async (_choices, pattern) =>
          pattern.startsWith('nosuch') ? 'nosuch.host' : undefined,
      },
    },
  });
}

test('an eviction that misses what was asked for says by how much', async () => {
  const missed = { left: 5 * 1024, over: 4 * 1024, kept: 3 * 1024 };
  const note = /5\.0 KiB stay, 4\.0 KiB more than 1KiB; 3\.0 KiB of it are never evicted/;
  assert.match((await ran(missed, 'evict', '--to', '1KiB')).error, note);
  assert.match((await ran(missed, 'evict', '--to', '1KiB', '--dry-run')).error, note);
  const { out } = await ran(missed, 'evict', '--to', '1KiB', '--json');
  assert.deepEqual(JSON.parse(out), { blobs: 1, bytes: 1024, ...missed });
  assert.equal((await ran(undefined, 'evict', '--to', '1KiB')).error, 'removed 1 blob, 1.0 KiB\n');
});

test('pruning says why images that fit stay', async () => {
  assert.equal(
    (await ran(undefined, 'prune', 'x:*')).error,
    'removed 0 images: 0 blobs, 0 B\n2 images that fit stay: pinned\n1 image that fits stays: gone; --gone removes that, too\n',
  );
});

test('a pin of a registry that is no upstream is made, and that is said', async () => {
  assert.equal(
    (await ran(undefined, 'pin', 'nosuch.host/x:1')).error,
    'pinned\nnosuch.host is no upstream of the configuration: nothing comes from there\n',
  );
  assert.equal((await ran(undefined, 'pin', 'x:1')).error, 'pinned\n');
});
