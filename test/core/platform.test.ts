import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  formatPlatform,
  matchesPlatform,
  parsePlatform,
  platformOf,
} from '../../src/core/platform.ts';

describe('platform', () => {
  const read: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64'],
    ['amd64', 'linux/amd64'],
    ['x86_64', 'linux/amd64'],
    ['Linux/AArch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64/v8'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['windows/amd64', 'windows/amd64'],
  ];
  for (const [text, meant] of read) {
    test(`${text} is ${meant}`, () => assert.equal(formatPlatform(parsePlatform(text)), meant));
  }

  for (const text of ['', '/', 'linux/', 'linux/amd64/v8/x', 'linux/am d64', '../x']) {
    test(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parsePlatform(text), { code: 'NAME_INVALID' }));
  }

  const pairs: readonly (readonly [string, string, boolean])[] = [
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm64/v9', 'linux/arm64', false],
    ['linux/arm', 'linux/arm/v6', true],
    ['linux/arm/v7', 'linux/arm', true],
    ['linux/arm/v7', 'linux/arm/v6', false],
    ['linux/amd64', 'windows/amd64', false],
    ['linux/amd64', 'linux/arm64', false],
  ];
  for (const [wanted, offered, outcome] of pairs) {
    test(`${wanted} ${outcome ? 'takes' : 'refuses'} ${offered}`, () =>
      assert.equal(matchesPlatform(parsePlatform(wanted), parsePlatform(offered)), outcome));
  }

  test('a version of Windows counts only when it is asked for', () => {
    const offered = platformOf({ os: 'windows', architecture: 'amd64', 'os.version': '10.0.1' });
    assert(offered !== undefined);
    assert(matchesPlatform(parsePlatform('windows/amd64'), offered));
    assert(!matchesPlatform({ ...parsePlatform('windows/amd64'), osVersion: '10.0.2' }, offered));
  });
});
