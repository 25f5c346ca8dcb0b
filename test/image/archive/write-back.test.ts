import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteBack } from '../../../src/image/archive/write-back.ts';

/** A file that notes what is asked of it, and does it when it is told to. */
function slowFile() {
  const asked: string[] = [];
  const running: PromiseWithResolvers<void>[] = [];
  const ask = (what: string) => (): Promise<void> => {
    asked.push(what);
    const one = Promise.withResolvers<void>();
    running.push(one);
    return one.promise;
  };
  return { asked, running, datasync: ask('datasync'), sync: ask('sync') };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the disk is kept busy by one request at a time, each for a step', async () => {
  const file = slowFile();
  const writeBack = new WriteBack(file, 100);
  writeBack.wrote(99);
  assert.deepEqual(file.asked, []);
  writeBack.wrote(1);
  writeBack.wrote(500);
  assert.deepEqual(file.asked, ['datasync']);
  file.running[0]?.resolve();
  await turn();
  writeBack.wrote(1);
  assert.deepEqual(file.asked, ['datasync', 'datasync']);
});

test('the end waits for what is under way, and then for all the rest', async () => {
  const file = slowFile();
  const writeBack = new WriteBack(file, 100);
  writeBack.wrote(100);
  const finished = writeBack.finish().then(() => file.asked.push('finished'));
  await turn();
  assert.deepEqual(file.asked, ['datasync']);
  file.running[0]?.resolve();
  await turn();
  assert.deepEqual(file.asked, ['datasync', 'sync']);
  file.running[1]?.resolve();
  await finished;
});

test('what failed on the way fails the end: the system would not tell again', async () => {
  const file = slowFile();
  const writeBack = new WriteBack(file, 100);
  writeBack.wrote(100);
  const failure = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  file.running[0]?.reject(failure);
  await turn();
  writeBack.wrote(100);
  file.running[1]?.resolve();
  await assert.rejects(writeBack.finish(), failure);
  assert.deepEqual(file.asked, ['datasync', 'datasync']);
});

test('a file that is given up is not let go of while the disk has it', async () => {
  const file = slowFile();
  const writeBack = new WriteBack(file, 100);
  writeBack.wrote(100);
  let stopped = false;
  const stopping = writeBack.stop().then(() => (stopped = true));
  await turn();
  assert.equal(stopped, false);
  file.running[0]?.reject(new Error('gone'));
  await stopping;
});
