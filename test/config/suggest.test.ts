import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { suggest } from '../../src/config/suggest.ts';

const KEYS = ['listen', 'storage', 'tags', 'tls', 'upstreams', 'defaultUpstream'];

test('a slip of the finger finds its key', () => {
  for (const [text, key] of [
    ['lisen', 'listen'],
    ['lsiten', 'listen'],
    ['Listen', 'listen'],
    ['upstream', 'upstreams'],
    ['default-upstream', 'defaultUpstream'],
    ['tag', 'tags'],
  ] as const) {
    assert.equal(suggest(text, KEYS), key, text);
  }
});

test('what is near to nothing gets no suggestion', () => {
  for (const text of ['cache', 'x', '', 'proxy'])
    assert.equal(suggest(text, KEYS), undefined, text);
  assert.equal(suggest('listen', []), undefined);
});

test('one letter left out of any longer word is found again', () => {
  const word = fc.string({
    unit: fc.constantFrom(...Array.from('abcdefgh')),
    minLength: 4,
    maxLength: 12,
  });
  fc.assert(
    fc.property(word, fc.nat(), (word, seed) => {
      const at = seed % word.length;
      assert.equal(suggest(word.slice(0, at) + word.slice(at + 1), [word]), word);
    }),
  );
});
