import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTag } from '../../src/core/reference.ts';
import { world, type World } from '../fixtures/mirror-world.ts';

const YEAR = 365 * 86_400_000;
const repository = { host: 'docker.io', path: 'library/x' };
const tag = parseTag('v1');

async function pull(place: World) {
  const { descriptor, served } = await place.mirror.manifest(repository, tag);
  await place.mirror.passed();
  return { digest: descriptor.digest, result: served?.result };
}

function push(place: World, name: string) {
  return place.registry.addImage('library/x', 'v1', { config: { name } }).manifest.digest;
}

test('a tag that was asked about by a clock a year ahead is asked about again', async () => {
  await using place = await world();
  place.advance(YEAR);
  const first = push(place, 'first');
  assert.deepEqual(await pull(place), { digest: first, result: 'miss' });
  const second = push(place, 'second');
  place.advance(-YEAR);
  assert.deepEqual(await pull(place), { digest: second, result: 'miss' });
  assert.deepEqual(await pull(place), { digest: second, result: 'hit' });
  const third = push(place, 'third');
  place.advance(61_000);
  assert.equal((await pull(place)).digest, third);
});

test('what HEAD said by a clock a year ahead gives way to what it says by the right one', async () => {
  await using place = await world();
  place.advance(YEAR);
  push(place, 'first');
  await place.mirror.resolve(repository, tag);
  const second = push(place, 'second');
  place.advance(-YEAR);
  const { descriptor } = await place.mirror.resolve(repository, tag);
  assert.equal(descriptor.digest, second);
  await place.mirror.manifest(repository, second);
  await place.mirror.passed();
  await place.registry[Symbol.asyncDispose]();
  place.advance(61_000);
  assert.deepEqual(await pull(place), { digest: second, result: 'stale' });
});

test('a list that was asked for by a clock a year ahead is asked for again', async () => {
  await using place = await world();
  place.advance(YEAR);
  push(place, 'first');
  assert.deepEqual((await place.mirror.tags(repository)).items, ['v1']);
  place.registry.addImage('library/x', 'v2');
  place.advance(-YEAR);
  assert.deepEqual((await place.mirror.tags(repository)).items, ['v1', 'v2']);
});
