import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import type { Choices } from '../../src/cli/actions.ts';
import { bundlesOf } from '../../src/compose/bundles.ts';
import { load } from '../../src/config/load.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { failsWith } from '../image/archive/source-contract.ts';
import {
  APP,
  exported,
  filled,
  keep,
  manyPlatforms,
  openWorld,
  seen,
  tag,
} from '../image/bundle/world.ts';
import { server } from './server.ts';

const CHOICES: Choices = { config: undefined, overrides: [] };
const IMPORT = {
  stdin: Readable.from([]),
  ...CHOICES,
  stdout: async () => {},
  begin: () => {},
  progress: () => {},
  signal: new AbortController().signal,
  as: undefined,
  tags: 'keep',
} as const;

/** Two bundles, the second of which goes on from the first, as files with locks beside them. */
async function bundles() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  await using here = await openWorld();
  const image = await filled(here);
  const at = (name: string): string => path.join(folder.path, name);
  const first = await exported(here, ['docker.io/**'], { file: at('first.tar') });
  const newer = manyPlatforms('newer');
  await keep(here.store, newer, [newer.parts.index, ...newer.parts.first, ...newer.parts.second]);
  await tag(here.store, APP, 'newer', newer.index.descriptor);
  const since = first.lock;
  const second = await exported(here, ['docker.io/**'], { file: at('second.tar'), since });
  const whole = stack.move();
  return {
    image,
    newer,
    first: first.file,
    second: second.file,
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

/** A store that verbs change, alone or by way of a server that serves it. */
async function place(by: 'alone' | 'server') {
  await using stack = new AsyncDisposableStack();
  const running = by === 'server' ? stack.use(await server('offline: true')) : undefined;
  const folder = running?.at() ?? stack.use(await temporaryFolder()).path;
  const name = path.join(folder, 'layover.yaml');
  const text = `admin: { listen: 127.0.0.1:0 }\nstorage: { path: ${folder}/data, minFree: 0 }\noffline: true\n`;
  if (running === undefined) await writeFile(name, text);
  const { config } = load({ file: { name, text }, environment: {}, overrides: [] });
  const carried = bundlesOf(async () => config);
  const whole = stack.move();
  return {
    running,
    paths: new Paths(config.storage.path),
    import: (file: string, platforms: readonly string[], lock?: string) =>
      carried.import({ ...IMPORT, file, platforms, lock }),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

const ONE = ['linux/amd64'];

for (const by of ['alone', 'server'] as const) {
  suite(
    `a bundle that goes on from another, imported ${by === 'alone' ? 'into a store that nobody serves' : 'by way of a server'}`,
    () => {
      for (const { name, first, second } of [
        { name: 'neither', first: [], second: [] },
        { name: 'the first alone', first: ONE, second: [] },
        { name: 'the second alone', first: [], second: ONE },
        { name: 'both', first: ONE, second: ONE },
      ]) {
        test(`platforms were chosen of ${name}`, async () => {
          await using from = await bundles();
          await using there = await place(by);
          await there.import(from.first, first);
          const before = await seen(there.paths.root);
          for (const lock of [undefined, `${from.second}.lock.json`]) {
            if (first.length > 0 && second.length === 0) {
              const [, lacking] = from.image.second.layers;
              assert.ok(lacking);
              await assert.rejects(
                there.import(from.second, second, lock),
                failsWith('BLOB_UNKNOWN', new RegExp(`${lacking.digest}.*goes on from`)),
              );
              assert.deepEqual(await seen(there.paths.root), before);
              continue;
            }
            const { images } = await there.import(from.second, second, lock);
            assert.deepEqual(
              images.map(({ name, outcome }) => [name, outcome]),
              [
                ['docker.io/library/app:latest', 'same'],
                ['docker.io/library/app:newer', lock === undefined ? 'new' : 'same'],
              ],
            );
          }
          const answer = await there.running?.get('/v2/library/app/manifests/newer');
          const found = first.length > 0 && second.length === 0 ? 404 : 200;
          assert.equal(answer?.status ?? found, found);
        });
      }

      test('what is wanted and has been lost is lacking; nothing of it is visible', async () => {
        await using from = await bundles();
        await using there = await place(by);
        await there.import(from.first, ONE);
        const [shared] = from.image.first.layers;
        assert.ok(shared);
        await rm(there.paths.blob(shared.digest));
        const before = await seen(there.paths.root);
        for (const lock of [undefined, `${from.second}.lock.json`]) {
          await assert.rejects(
            there.import(from.second, ONE, lock),
            failsWith('BLOB_UNKNOWN', new RegExp(`${shared.digest}.*goes on from`)),
          );
          assert.deepEqual(await seen(there.paths.root), before);
          const answer = await there.running?.get('/v2/library/app/manifests/newer');
          assert.equal(answer?.status ?? 404, 404);
        }
      });
    },
  );
}
