import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Served } from '../../src/core/served.ts';
import { cacheStatus, matchesTag, warning } from '../../src/http/answer.ts';

const STATUS: readonly (readonly [Served | undefined, string])[] = [
  [undefined, 'layover'],
  [{ result: 'hit' }, 'layover; hit'],
  [{ result: 'hit', ttl: 59.6 }, 'layover; hit; ttl=60'],
  [{ result: 'revalidated', ttl: 60 }, 'layover; hit; ttl=60; detail=revalidated'],
  [{ result: 'miss' }, 'layover; fwd=miss'],
  [{ result: 'miss', stored: true }, 'layover; fwd=miss; stored'],
  [{ result: 'miss', stored: false }, 'layover; fwd=miss'],
  [{ result: 'joined' }, 'layover; fwd=miss; collapsed'],
  [{ result: 'stale' }, 'layover; hit; detail=stale'],
  [{ result: 'stale', detail: 'unreachable' }, 'layover; fwd=stale; detail=unreachable'],
  [{ result: 'negative' }, 'layover; hit; detail=negative'],
  [{ result: 'bypass' }, 'layover; fwd=bypass'],
  [{ result: 'error', detail: 'rate-limited' }, 'layover; fwd=miss; detail=rate-limited'],
  [{ result: 'miss', detail: 'two words "x"' }, 'layover; fwd=miss; detail="two words \\"x\\""'],
];

suite('Cache-Status', () => {
  for (const [served, text] of STATUS) {
    test(text, () => assert.equal(cacheStatus(served), text));
  }
});

test('a warning is code, agent and quoted ASCII, whatever it says', () => {
  assert.equal(warning('gone "away" \\ é\n'), '299 - "gone \\"away\\" \\\\ ??"');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 9000 }), (text) => {
      const header = warning(text);
      assert.match(header, /^299 - "(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/);
      assert.ok(header.length <= 4096);
    }),
  );
});

const TAG = '"sha256:ab"';
const MATCHES: readonly (readonly [string | undefined, boolean])[] = [
  [undefined, false],
  [TAG, true],
  [`W/${TAG}`, true],
  [`"x", ${TAG}`, true],
  ['*', true],
  ['"x"', false],
  ['sha256:ab', false],
  ['', false],
];

suite('If-None-Match', () => {
  for (const [header, matches] of MATCHES) {
    test(`${header} ${matches}`, () => assert.equal(matchesTag(header, TAG), matches));
  }
});
