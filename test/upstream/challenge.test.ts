import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from '../../src/upstream/challenge.ts';

const plain = (header: string | string[]) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }]);

test('challenges as registries send them', () => {
  assert.deepEqual(
    plain(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push"',
    ),
    [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/x:pull,push',
        },
      ],
    ],
  );
  assert.deepEqual(
    plain('Basic realm="a, \\"quoted\\" name" , BEARER Realm=https://x/t , Service = y'),
    [
      ['basic', { realm: 'a, "quoted" name' }],
      ['bearer', { realm: 'https://x/t', service: 'y' }],
    ],
  );
  assert.deepEqual(plain(['Negotiate', 'NTLM abc==, Basic realm=""']), [
    ['negotiate', {}],
    ['ntlm', {}],
    ['basic', { realm: '' }],
  ]);
  assert.deepEqual(parseChallenges(undefined), []);
});

test('the first of several parameters of one name counts', () => {
  assert.deepEqual(plain('Bearer realm="a",realm="b"'), [['bearer', { realm: 'a' }]]);
});

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
const challenge = fc.record({
  scheme: token,
  parameters: fc.dictionary(token, fc.string({ unit: 'grapheme-ascii' }), { minKeys: 1 }),
});

test('whatever is written as the grammar wants is read back', () => {
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), fc.boolean(), (challenges, apart) => {
      const texts = challenges.map(
        ({ scheme, parameters }) =>
          `${scheme} ${Object.entries(parameters)
            .map(([name, value]) => `${name}=${quoted(value)}`)
            .join(', ')}`,
      );
      const read = plain(apart ? texts : texts.join(', '));
      assert.deepEqual(
        read,
        challenges.map(({ scheme, parameters }) => [scheme, { ...parameters }]),
      );
    }),
  );
});

test('any other text is read without a fault, and soon', () => {
  const pieces = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'realm', 'a==', '\t', '<');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((parts) => parts.join('')),
      ),
      (text) => {
        for (const { scheme } of parseChallenges(text)) assert.match(scheme, /^[^\s,="]+$/);
      },
    ),
  );
});
