import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../../../src/core/digest.ts';
import { BlobIndex } from '../../../src/store/budget/blob-index.ts';
import { IndexDatabase, numberIn } from '../../../src/store/budget/index-database.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const DIGESTS = Array.from({ length: 5 }, (_, at) => digestOf(Buffer.from(`${at}`)));
const HOSTS = ['docker.io', 'quay.io'];

/** Counts what it is asked. */
class Counting extends IndexDatabase {
  asked = 0;

  override get(...query: Parameters<IndexDatabase['get']>) {
    this.asked += 1;
    return super.get(...query);
  }

  override all(...query: Parameters<IndexDatabase['all']>) {
    this.asked += 1;
    return super.all(...query);
  }
}

const digest = fc.constantFrom(...DIGESTS);
const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), digest, size: fc.nat(1000) }),
  fc.record({ kind: fc.constant('remove' as const), digest }),
  fc.record({
    kind: fc.constant('mark' as const),
    digest,
    mark: fc.constantFrom('kept' as const, 'evictable' as const),
  }),
  fc.record({
    kind: fc.constant('link' as const),
    digest,
    host: fc.constantFrom(...HOSTS),
    as: fc.constantFrom('blob' as const, 'manifest' as const),
  }),
  fc.record({ kind: fc.constant('recount' as const) }),
);

test('the sums are those of the rows after whatever has happened, and cost no look at them', async () => {
  await using folder = await temporaryFolder();
  let count = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      count += 1;
      const database = new Counting({ file: path.join(folder.path, `${count}.db`) });
      try {
        const index = new BlobIndex(database);
        for (const one of steps) {
          if (one.kind === 'add') index.add(one.digest, one.size, 0, 0);
          else if (one.kind === 'remove') index.remove(one.digest);
          else if (one.kind === 'mark') index.mark(one.digest, one.mark);
          else if (one.kind === 'recount') index.recount();
          else index.link({ host: one.host, path: 'library/x' }, one.digest, one.as);
        }
        const before = database.asked;
        const told = [index.unlinkedBytes, index.keptBytes];
        assert.equal(database.asked, before, 'the rows were added up');
        const sum = (where: string): number =>
          numberIn(database.get(`SELECT sum(size) AS bytes FROM blobs WHERE ${where}`), 'bytes');
        assert.deepEqual(told, [sum('host = 0 AND kept = 0'), sum('kept <> 0')]);
      } finally {
        database.close();
      }
    }),
    { numRuns: 50 },
  );
});
