import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Serial } from '../../src/store/serial.ts';
import { gate } from '../fixtures/gate.ts';

test('a task at many keys has each of them to itself, and waits for whoever came before', async () => {
  const serial = new Serial();
  const told: string[] = [];
  const [first, began, all] = [gate(), gate(), gate()];
  const one = serial.run('b', async () => {
    await first.opened;
    told.push('one');
  });
  const many = serial.runAll(['c', 'b', 'a', 'b'], async () => {
    told.push('many');
    began.open();
    await all.opened;
    told.push('many are done');
  });
  first.open();
  await one;
  await began.opened;
  const later = ['a', 'b', 'c'].map((key) => serial.run(key, async () => void told.push(key)));
  all.open();
  await Promise.all([many, ...later]);
  assert.deepEqual(told.slice(0, 3), ['one', 'many', 'many are done']);
  assert.deepEqual(told.slice(3).toSorted(), ['a', 'b', 'c']);
});

test('what it throws is thrown, and the keys are free again', async () => {
  const serial = new Serial();
  const wrong = new Error('wrong');
  await assert.rejects(
    serial.runAll(['a', 'b'], () => Promise.reject(wrong)),
    wrong,
  );
  assert.equal(await serial.runAll(['b', 'a'], async () => 1), 1);
  assert.equal(await serial.runAll([], async () => 2), 2);
});

test('as many keys as the largest import may need', async () => {
  const serial = new Serial();
  const keys = Array.from({ length: 20_000 }, (_, at) => `key ${at}`);
  assert.equal(await serial.runAll(keys, async () => 'done'), 'done');
});
