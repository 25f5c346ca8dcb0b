import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../../src/config/address.ts';

test('an address has a port and may have a host', () => {
  for (const [text, host, port] of [
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['localhost:0', 'localhost', 0],
    ['mirror.example.com:65535', 'mirror.example.com', 65_535],
    ['[::1]:8080', '::1', 8080],
    ['[::]:80', '::', 80],
    [':8080', undefined, 8080],
  ] as const) {
    assert.deepEqual(parseAddress(text), { host, port }, text);
  }
});

test('what is not an address is refused', () => {
  for (const text of [
    '',
    '8080',
    'localhost',
    '::1:8080',
    '[::1]',
    '[]:80',
    '[a]:80',
    'a:b',
    'a:65536',
    'a:-1',
    'a b:80',
    'http://a:80',
    'a:80/',
    '[1.2.3.4]:80',
  ]) {
    assert.equal(parseAddress(text), undefined, JSON.stringify(text));
  }
});

test('an address that is written reads back the same', () => {
  const host = fc.option(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), { nil: undefined });
  fc.assert(
    fc.property(host, fc.nat(65_535), (host, port) => {
      assert.deepEqual(parseAddress(formatAddress({ host, port })), { host, port });
    }),
  );
});
