import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { HOSTED } from '../../src/core/hosted.ts';
import { parseNamePattern } from '../../src/core/name-pattern.ts';
import { createRouter, type Asked } from '../../src/mirror/route.ts';

const upstreams = [
  { host: 'docker.io', aliases: [] },
  { host: 'quay.io', aliases: [] },
];

function router(patterns: readonly string[], defaultUpstream: string | undefined) {
  const hosted = patterns.flatMap((text) => parseNamePattern(text) ?? []);
  return createRouter({ upstreams, defaultUpstream, hosted });
}

type Row = readonly [name: string, hints: Partial<Asked>, host: string, path: string];

const some: readonly Row[] = [
  ['apps/api', {}, HOSTED, 'apps/api'],
  ['charts/x', {}, HOSTED, 'charts/x'],
  ['charts/x/y', {}, 'docker.io', 'charts/x/y'],
  ['nginx', {}, 'docker.io', 'library/nginx'],
  // A registry that is named is meant, whatever lives here.
  ['apps/api', { ns: ['quay.io'] }, 'quay.io', 'apps/api'],
  ['apps/api', { registry: 'docker.io' }, 'docker.io', 'apps/api'],
  ['quay.io/apps/api', {}, 'quay.io', 'apps/api'],
];

const everything: readonly Row[] = [
  ['nginx', {}, HOSTED, 'nginx'],
  ['a/b/c', {}, HOSTED, 'a/b/c'],
  ['quay.io/org/x', {}, HOSTED, 'quay.io/org/x'],
  ['org/x', { ns: ['quay.io'] }, 'quay.io', 'org/x'],
];

suite('a name', () => {
  for (const [what, patterns, standard, rows] of [
    ['some names live here', ['apps/**', 'charts/*'], 'docker.io', some],
    ['all names live here', ['**'], undefined, everything],
  ] as const) {
    for (const [name, hints, host, path] of rows) {
      test(`${name} ${JSON.stringify(hints)} where ${what}`, () => {
        const found = router(patterns, standard).repository({ ns: [], ...hints, name });
        assert.deepEqual(found, { host, path });
      });
    }
  }

  for (const name of ['Apps/api', 'apps/../x', 'apps//x', 'apps/', '_hosted/apps/x']) {
    test(`${name} that is malformed does not live here`, () => {
      assert.throws(() => router(['**'], undefined).repository({ ns: [], name }), {
        code: 'NAME_INVALID',
      });
    });
  }
});
