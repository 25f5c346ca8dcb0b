import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { parseImagePattern } from '../../src/core/image-pattern.ts';
import { parseTag } from '../../src/core/reference.ts';

const DIGEST = digestOf(Buffer.from('x'));

for (const [pattern, name, tag, fits] of [
  ['docker.io/library/nginx', 'docker.io/library/nginx', 'latest', true],
  ['docker.io/library/nginx:1.27', 'docker.io/library/nginx', '1.27', true],
  ['docker.io/library/nginx:1.27', 'docker.io/library/nginx', '1x27', false],
  ['docker.io/library/nginx:1.*', 'docker.io/library/nginx', '1.27-alpine', true],
  ['docker.io/library/*', 'docker.io/library/nginx', 'v1', true],
  ['docker.io/library/*', 'docker.io/library/a/b', 'v1', false],
  ['docker.io/library/*', 'docker.io/library2/a', 'v1', false],
  ['ghcr.io/team/**', 'ghcr.io/team/a/b', 'v1', true],
  ['ghcr.io/**/app:v*', 'ghcr.io/team/x/app', 'v2', true],
  ['ghcr.io', 'ghcr.io/anything/at/all', 'v1', true],
  ['ghcr.io', 'ghcr.io.evil.example/x', 'v1', false],
  ['**', 'quay.io/a/b', 'v1', true],
  ['localhost:5000/app', 'localhost:5000/app', 'v1', true],
  ['localhost:5000/app:v1', 'localhost:5000/app', 'v2', false],
] as const) {
  test(`${pattern} ${fits ? 'means' : 'does not mean'} ${name}:${tag}`, () => {
    const [host = '', ...path] = name.split('/');
    const found = parseImagePattern(pattern);
    assert.equal(found?.byTag({ host, path: path.join('/') }, parseTag(tag)), fits);
  });
}

test('a digest means one manifest, and no tag', () => {
  const found = parseImagePattern(`docker.io/library/x@${DIGEST}`);
  assert.equal(found?.digest, DIGEST);
  assert.equal(found.covers, 'digest');
  assert.equal(found.byTag({ host: 'docker.io', path: 'library/x' }, parseTag('v1')), false);
});

for (const text of [
  '',
  'x',
  'nginx:1.27',
  'docker.io/Library/x',
  'docker.io/x:',
  'docker.io/x@sha256:abc',
  `docker.io/*@${DIGEST}`,
  'docker.io/x(y',
  'docker.io//x',
  `docker.io/${'a'.repeat(600)}`,
]) {
  test(`${JSON.stringify(text.slice(0, 30))} is no pattern`, () => {
    assert.equal(parseImagePattern(text), undefined);
  });
}
