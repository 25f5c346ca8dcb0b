import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pattern } from '../fixtures/collect.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { session } from './session.ts';

test('what is read from this disk is said to come from there', async () => {
  await using registry = await startRegistry();
  registry.addImage('team/app', '1', { layers: [pattern(300_000)] });
  await using at = await session();
  const first = await at.layover(['copy', `${registry.host}/team/app:1`, 'oci:a:v1']);
  assert.match(first.error, /KiB from the upstream\n$/);
  for (const [from, to] of [
    ['oci:a:v1', 'docker-archive:b.tar:app:1'],
    ['docker-archive:b.tar', 'oci:c:v1'],
    ['oci:c:v1', `${registry.host}/team/other:1`],
  ] as const) {
    const { code, error } = await at.layover(['copy', from, to]);
    assert.equal(code, 0, error);
    assert.match(error, /: 29\d KiB from this disk\n$/, from);
  }
});
