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
