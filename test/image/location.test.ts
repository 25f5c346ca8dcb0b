import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { parsePath, parseTag, type Reference } from '../../src/core/reference.ts';
import {
  formatLocation,
  parseLocation,
  parseReference,
  type ImageName,
  type Location,
} from '../../src/image/location.ts';

const digest = digestOf(Buffer.from('content'));

function reference(host: string, path: string, at: string): Reference {
  return { repository: { host, path }, at: at === digest ? digest : parseTag(at) };
}

const REFERENCES: readonly (readonly [text: string, host: string, path: string, at: string])[] = [
  ['alpine', 'docker.io', 'library/alpine', 'latest'],
  ['alpine:3.20', 'docker.io', 'library/alpine', '3.20'],
  ['bitnami/redis', 'docker.io', 'bitnami/redis', 'latest'],
  ['docker.io/alpine', 'docker.io', 'library/alpine', 'latest'],
  ['index.docker.io/alpine', 'docker.io', 'library/alpine', 'latest'],
  ['registry-1.docker.io/library/alpine', 'docker.io', 'library/alpine', 'latest'],
  ['DOCKER.io/alpine', 'docker.io', 'library/alpine', 'latest'],
  ['docker://alpine:3', 'docker.io', 'library/alpine', '3'],
  ['quay.io/alpine', 'quay.io', 'alpine', 'latest'],
  ['localhost/alpine', 'localhost', 'alpine', 'latest'],
  ['localhost:5000/alpine', 'localhost:5000', 'alpine', 'latest'],
  ['localhost:5000/alpine:V1', 'localhost:5000', 'alpine', 'V1'],
  ['MyHost:5000/a', 'myhost:5000', 'a', 'latest'],
  ['Registry/a', 'registry', 'a', 'latest'],
  ['127.0.0.1:5000/a/b/c/d/e:1', '127.0.0.1:5000', 'a/b/c/d/e', '1'],
  ['[::1]:5000/x', '[::1]:5000', 'x', 'latest'],
  ['[::1]/x:2', '[::1]', 'x', '2'],
  [`alpine@${digest}`, 'docker.io', 'library/alpine', digest],
  [`ghcr.io/o/a:1@${digest}`, 'ghcr.io', 'o/a', digest],
  [`localhost:5000/a@${digest}`, 'localhost:5000', 'a', digest],
  ['docker:20', 'docker.io', 'library/docker', '20'],
  ['oci', 'docker.io', 'library/oci', 'latest'],
];

for (const [text, host, path, at] of REFERENCES) {
  test(`${text} is a reference`, () => {
    assert.deepEqual(parseReference(text), reference(host, path, at));
    assert.deepEqual(parseLocation(text), {
      kind: 'registry',
      reference: reference(host, path, at),
    });
  });
}

const named = reference('docker.io', 'library/alpine', '3.20');
const PLACES: readonly (readonly [text: string, location: Location])[] = [
  ['oci:app', { kind: 'oci', folder: 'app' }],
  ['oci:/srv/app/:1.2', { kind: 'oci', folder: '/srv/app/', image: parseTag('1.2') }],
  [`oci:app@${digest}`, { kind: 'oci', folder: 'app', image: digest }],
  [`oci:app:1.2@${digest}`, { kind: 'oci', folder: 'app', image: digest }],
  ['oci:app:alpine:3.20', { kind: 'oci', folder: 'app', image: named }],
  ['oci:app:docker.io/library/alpine:3.20', { kind: 'oci', folder: 'app', image: named }],
  ['oci:/a:b/c', { kind: 'oci', folder: '/a:b/c' }],
  ['oci:/a:b/c::1', { kind: 'oci', folder: '/a:b/c', image: parseTag('1') }],
  ['oci:a:b::', { kind: 'oci', folder: 'a:b' }],
  ['oci:a:b::1', { kind: 'oci', folder: 'a:b', image: parseTag('1') }],
  ['oci-archive:x.tar:v1', { kind: 'oci-archive', file: 'x.tar', image: parseTag('v1') }],
  ['docker-archive:x.tar', { kind: 'docker-archive', file: 'x.tar' }],
  ['docker-archive:/tmp/10:30:00.tar', { kind: 'docker-archive', file: '/tmp/10:30:00.tar' }],
  ['docker-archive:x.tar:alpine:3.20', { kind: 'docker-archive', file: 'x.tar', image: named }],
  [
    'docker-archive:x.tar:[::1]:5000/a:1',
    { kind: 'docker-archive', file: 'x.tar', image: reference('[::1]:5000', 'a', '1') },
  ],
  [
    `docker-archive:x.tar:alpine:3.20@${digest}`,
    {
      kind: 'docker-archive',
      file: 'x.tar',
      image: reference('docker.io', 'library/alpine', digest),
    },
  ],
];

for (const [text, location] of PLACES) {
  test(`${text} is a place`, () => {
    assert.deepEqual(parseLocation(text), location);
  });
}

const WRONG: readonly (readonly [text: string, saying: RegExp])[] = [
  ['', /the name is missing/],
  ['docker://', /the name is missing/],
  ['oci:', /the path is missing/],
  ['docker-archive::', /the path is missing/],
  ['oci-archive::v1', /the path is missing/],
  ['oci://ghcr.io/chart', /docker:\/\/ghcr\.io\/chart/],
  ['https://ghcr.io/o/a', /without https:\/\//],
  ['localhost:5000', /repository is missing/],
  ['[::1]:5000', /repository is missing/],
  ['ghcr.io/', /repository is missing/],
  ['Alpine', /lower-case/],
  ['ghcr.io/Owner/app', /lower-case/],
  ['a//b', /not a repository name/],
  ['/a', /not a repository name|missing/],
  ['a:', /not a tag/],
  ['a:-x', /not a tag/],
  ['a@', /sha256:/],
  ['a@latest', /sha256:/],
  [`a@${digest.toUpperCase()}`, /sha256:/],
  [`a@${digest}@${digest}`, /sha256:/],
  ['host:99999/a', /no port 99999/],
  ['host:0/a', /no port 0/],
  ['ho_st.x/a', /not a registry's name/],
  ['[::1/a', /not a registry's name/],
  ['docker.io/lib/../x', /not a repository name/],
  ['a b', /not a repository name/],
];

for (const [text, saying] of WRONG) {
  test(`${JSON.stringify(text)} is refused with an example`, () => {
    assert.throws(
      () => parseLocation(text),
      (error) =>
        error instanceof RegistryError &&
        error.code === 'NAME_INVALID' &&
        saying.test(error.message) &&
        error.message.includes('alpine:3.20'),
    );
  });
}

const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,4})?$/);
const references: fc.Arbitrary<Reference> = fc
  .record({
    host: fc.constantFrom(
      'quay.io',
      'localhost:5000',
      '[::1]:5000',
      'a.b-c.example:1',
      'docker.io',
    ),
    parts: fc.array(part, { minLength: 2, maxLength: 6 }),
    at: fc.oneof(fc.constant(digest), fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/)),
  })
  .map(({ host, parts, at }) => reference(host, parsePath(parts.join('/')), at));

test('what is formatted reads as the same, whatever the path holds', () => {
  const images: fc.Arbitrary<ImageName | undefined> = fc.oneof(
    fc.constant(undefined),
    fc.constant(digest),
    fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/).map((text) => parseTag(text)),
    references,
  );
  const paths = fc
    .oneof(
      fc.string({ minLength: 1 }),
      fc.array(fc.constantFrom('a', ':', '/', '@', '[', ']', '::', '.tar', digest), {
        minLength: 1,
      }),
    )
    .map((path) => (typeof path === 'string' ? path : path.join('')))
    .filter((path) => !/^:|^\/\//.test(path));
  const kinds = fc.constantFrom('oci', 'oci-archive', 'docker-archive');
  fc.assert(
    fc.property(kinds, paths, images, (kind, path, image) => {
      const named = image === undefined ? {} : { image };
      const location: Location =
        kind === 'oci' ? { kind, folder: path, ...named } : { kind, file: path, ...named };
      assert.deepEqual(parseLocation(formatLocation(location)), location);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(references, (reference) => {
      const location: Location = { kind: 'registry', reference };
      assert.deepEqual(parseLocation(formatLocation(location)), location);
    }),
  );
});

test('any text is read or refused as a name', () => {
  const pieces = fc.constantFrom(
    'a',
    'A',
    ':',
    '/',
    '@',
    '.',
    '[',
    ']',
    '-',
    'oci:',
    '::',
    '5000',
    digest,
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((list) => list.join('')),
      ),
      (text) => {
        try {
          parseLocation(text);
        } catch (error) {
          assert.ok(error instanceof RegistryError);
          assert.equal(error.code, 'NAME_INVALID');
        }
      },
    ),
    { numRuns: 1000 },
  );
});
