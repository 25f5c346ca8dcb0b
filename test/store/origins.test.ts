import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offlineSource } from '../../src/mirror/offline.ts';
import { Origins } from '../../src/store/origins.ts';

const origin = (path: string) => ({
  repository: { host: 'docker.io', path },
  upstream: offlineSource('docker.io'),
});

test('each origin is asked in turn, and known once', () => {
  const origins = new Origins(origin('a'));
  origins.turn();
  assert.equal(origins.asked.repository.path, 'a');
  for (const path of ['b', 'a', 'c', 'b']) origins.add(origin(path));
  assert.equal(origins.repositories.length, 3);
  const asked = ['a', 'b', 'c', 'a'].map((expected) => {
    assert.equal(origins.asked.repository.path, expected);
    origins.turn();
    return expected;
  });
  assert.equal(asked.length, 4);
});

test('an origin that is dropped is not asked again, nor added; the last one stays', () => {
  const origins = new Origins(origin('a'));
  assert.equal(origins.drop(), false);
  origins.add(origin('b'));
  assert.equal(origins.drop(), true);
  assert.equal(origins.asked.repository.path, 'b');
  origins.add(origin('a'));
  assert.deepEqual(
    origins.repositories.map(({ path }) => path),
    ['b'],
  );
  assert.equal(origins.drop(), false);
});
