import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressRule,
  isPrivateAddress,
  PrivateAddressError,
} from '../../src/upstream/private-address.ts';

test('what is private and what is not', () => {
  const not = [
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.128.0.1',
    '2606:4700::1',
    '64:ff9b::101:101',
  ];
  for (const address of not) assert.equal(isPrivateAddress(address), false, address);
  const are = [
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::1',
    'fd00::1',
    'fe80::1%eth0',
    'ff02::1',
  ];
  for (const address of are) assert.equal(isPrivateAddress(address), true, address);
});

test('an embedded IPv4 address is judged like itself', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(isPrivateAddress(`64:ff9b::${address}`), isPrivateAddress(address));
    }),
  );
});

test('names, ports, addresses and ranges can be allowed', () => {
  const rule = addressRule(
    ['registry.internal'],
    ['Storage.internal', 'other.internal:8443', '10.0.0.0/8', 'fd00::/8', '[::1]', '192.168.1.7'],
  );
  assert.ok(rule.trusts('registry.internal', '80'));
  assert.ok(rule.trusts('storage.internal.', '443'));
  assert.ok(rule.trusts('other.internal', '8443'));
  assert.ok(!rule.trusts('other.internal', '443'));
  for (const address of ['10.9.9.9', 'fd12::1', '::1', '192.168.1.7', '8.8.8.8']) {
    rule.check('x', address);
  }
  for (const address of ['192.168.1.8', '127.0.0.1', 'fe80::1']) {
    assert.throws(() => rule.check('x', address), PrivateAddressError);
  }
  assert.throws(() => rule.checkUrl(new URL('http://other.localhost/')), PrivateAddressError);
});
