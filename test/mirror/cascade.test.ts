import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTag } from '../../src/core/reference.ts';
import { collect } from '../fixtures/collect.ts';
import { world } from '../fixtures/mirror-world.ts';

const repository = { host: 'docker.io', path: 'library/x' };

test('a mirror of a mirror tells how it came by the content itself, not how the other one did', async () => {
  await using place = await world();
  const { registry, mirror } = place;
  const { config, manifest } = registry.addImage('library/x', 'v1', { layers: ['layer'] });
  const set = { 'cache-status': 'layover; fwd=bypass; detail=theirs' };
  registry.misbehave({}, { kind: 'headers', set });
  const digest = manifest.digest;
  const told = [
    (await mirror.resolve(repository, digest)).served,
    (await mirror.manifest(repository, parseTag('v1'))).served,
    (await mirror.manifest(repository, parseTag('v1'))).served,
    (await mirror.manifest(repository, digest)).served,
    (await mirror.resolve(repository, digest)).served,
    (await mirror.stat(repository, config.digest)).served,
  ];
  for (const end of [undefined, { from: 1 }]) {
    await using blob = await mirror.blob(repository, config.digest, end);
    told.push(blob.served);
    await collect(blob.body);
  }
  for (const served of told) {
    assert.ok(served !== undefined);
    assert.equal(served.detail, undefined);
    assert.notEqual(served.result, 'bypass');
  }
});
