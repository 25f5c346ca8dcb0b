import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import type { CachedImage } from '../../src/store/inventory/images.ts';
import { noActions, noUpkeep } from './no-actions.ts';
import { typed } from './typed.ts';

const digest = digestOf(Buffer.from('x'));
const IMAGES: readonly CachedImage[] = [
  {
    repository: { host: 'docker.io', path: 'library/x' },
    tag: parseTag('v1'),
    digest,
    platforms: ['linux/amd64', 'linux/arm64'],
    size: 1_500_000,
    created: '2026-01-02T03:04:05Z',
    firstPulled: Date.now() - 3 * 86_400_000,
    lastPulled: Date.now() - 7_200_000,
    kept: 'pinned',
    parts: new Map([[digest, 1_500_000]]),
  },
  {
    repository: { host: 'ghcr.io', path: 'a/b' },
    digest,
    platforms: [],
    size: 10,
    parts: new Map([[digest, 10]]),
  },
  {
    repository: { host: 'ghcr.io', path: 'a/gone' },
    tag: parseTag('v2'),
    digest,
    platforms: [],
    size: 0,
    firstPulled: 1,
    parts: new Map(),
  },
];

async function lsCache(...line: readonly string[]) {
  let asked: readonly string[] = [];
  const told = await typed(['ls-cache', ...line], {
    actions: {
      ...noActions,
      upkeep: {
        ...noUpkeep,
        async *images(_choices, patterns) {
          asked = patterns;
          yield* IMAGES;
        },
      },
    },
  });
  return { ...told, patterns: asked, lines: told.out.trimEnd().split('\n') };
}

test('what is cached, a line an image', async () => {
  const { code, lines, patterns } = await lsCache('docker.io/**', 'ghcr.io/**');
  assert.equal(code, 0);
  assert.deepEqual(patterns, ['docker.io/**', 'ghcr.io/**']);
  const [head, first, second] = lines.map((line) => line.split(/ {2,}/));
  assert.deepEqual(head, ['IMAGE', 'PLATFORMS', 'SIZE', 'CREATED', 'FIRST', 'LAST', 'KEPT']);
  assert.deepEqual(first, [
    'docker.io/library/x:v1',
    'linux/amd64,linux/arm64',
    '1.4 MiB',
    '2026-01-02',
    '3d ago',
    '2h ago',
    'pinned',
  ]);
  assert.deepEqual(second?.slice(1), ['-', '10 B', '-', '-', '-', '-']);
});

test('columns that are chosen, with and without their names, and JSON', async () => {
  const chosen = await lsCache('--columns', 'digest, image', '--no-header');
  assert.deepEqual(chosen.lines[0]?.split(/ {2,}/), [digest, 'docker.io/library/x:v1']);
  assert.equal(chosen.lines.length, 2);
  const json = (await lsCache('--json')).lines.map((line) => JSON.parse(line));
  assert.equal(json[0].image, 'docker.io/library/x:v1');
  assert.equal(json[0].size, 1_500_000);
  assert.deepEqual(json[0].platforms, ['linux/amd64', 'linux/arm64']);
  const wrong = await lsCache('--columns', 'image,nothing');
  assert.equal(wrong.code, 1);
  assert.match(wrong.error, /no such column: nothing; there are image, platforms/);
});

test('what has been evicted is listed only where all is asked for', async () => {
  for (const flags of [['--no-header'], ['--json']]) {
    const { lines } = await lsCache(...flags);
    assert.equal(lines.length, 2);
    assert.doesNotMatch(lines.join(), /a\/gone/);
    const all = (await lsCache('--all', ...flags)).lines;
    assert.equal(all.length, 3);
    assert.match(all[2] ?? '', /ghcr\.io\/a\/gone:v2/);
  }
});
