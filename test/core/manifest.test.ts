import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { mediaTypeOf } from '../../src/core/manifest.ts';

const stating = (mediaType: string) => Buffer.from(JSON.stringify({ mediaType }));

test('a type that a manifest states is one that can be said in a header', () => {
  for (const type of [
    'application/vnd.oci.image.manifest.v1+json',
    'application/json; charset=utf-8',
    'a/b',
  ]) {
    assert.equal(mediaTypeOf(stating(type)), type);
  }
  for (const type of ['a/\u20ac', 'a/b\r\nX: y', 'a', 'a/b/c', ' a/b', 'a/b;\u0000']) {
    assert.throws(
      () => mediaTypeOf(stating(type)),
      (error) => error instanceof RegistryError && error.code === 'MANIFEST_INVALID',
    );
  }
});
