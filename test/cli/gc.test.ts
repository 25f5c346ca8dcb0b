import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import { noActions, noUpkeep } from './no-actions.ts';
import { typed } from './typed.ts';

const digest = digestOf(Buffer.from('x'));
const repository = { host: HOSTED, path: 'apps/x' };

function gc(inUse: number, ...line: readonly string[]) {
  return typed(['gc', ...line], {
    actions: {
      ...noActions,
      upkeep: {
        ...noUpkeep,
        async *garbage() {
          yield { type: 'removed', repository, digest, kind: 'blob', size: 2048 };
          yield { type: 'in-use', digest, size: 2048 };
        },
        collect: async () => ({
          manifests: 1,
          blobs: 2,
          freed: 3,
          freedBytes: 4096,
          inUse,
          inUseBytes: inUse * 1024,
          kept: { tagged: 5 },
        }),
      },
    },
  });
}

test('what was collected, and what was left because somebody uses it', async () => {
  const one = 'removed 1 manifest and 2 blobs, 4.0 KiB of content in 3';
  assert.equal((await gc(0)).error, `${one}; kept: 5 tagged\n`);
  const used = '2.0 KiB in 2 in use, left to the next collection';
  assert.equal((await gc(2)).error, `${one}; ${used}; kept: 5 tagged\n`);
});

test('a dry run lists what is in use beside what would go', async () => {
  const { code, out, error } = await gc(0, '--dry-run');
  assert.equal(code, 0);
  const [removed, used] = out.split('\n');
  assert.match(removed ?? '', /apps\/x@sha256:\w+ blob 2\.0 KiB$/);
  assert.equal(used, `${digest} content 2.0 KiB in use: stays for now`);
  assert.match(
    error,
    /^would remove 0 manifests and 1 blob, 0 B of content in 0; 2\.0 KiB in 1 in use/,
  );
  const lines = (await gc(0, '--dry-run', '--json')).out.trimEnd().split('\n');
  const read = lines.map((line): unknown => JSON.parse(line));
  assert.deepEqual(read[1], { type: 'in-use', digest, size: 2048 });
  assert.ok(lines.at(-1)?.includes('"inUse":1,"inUseBytes":2048'));
});
