import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosen } from './chosen.ts';
import { verdict } from './verdict.ts';

const ALL = { cold: 1, warm: 2, push: 3 };

test('what is measured is what --only names, in the order of the table', () => {
  assert.deepEqual(chosen(ALL, undefined), Object.entries(ALL));
  assert.deepEqual(chosen(ALL, 'push,cold'), [
    ['cold', 1],
    ['push', 3],
  ]);
});

test('a name that is none is refused, with those that there are', () => {
  const refused = { message: '--only: there is no "colt"; there are cold, warm, push' };
  assert.throws(() => chosen(ALL, 'warm,colt'), refused);
  assert.throws(() => chosen(ALL, ''), /there is no ""/);
  assert.throws(() => chosen(ALL, 'toString'), /there is no "toString"/);
});

test('targets are met where there are some, and none is missed', () => {
  const [met, missed] = [{ target: { met: true } }, { target: { met: false } }];
  assert.equal(verdict([met, {}]), 'All targets were met in this run.');
  assert.equal(verdict([met, {}, missed]), '1 of 2 targets were missed in this run.');
  assert.equal(verdict([{}]), 'Nothing in this run has a target.');
  assert.equal(verdict([]), 'Nothing in this run has a target.');
});
