import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError, type ErrorCode } from '../../src/core/errors.ts';
import { createRouter, type Asked } from '../../src/mirror/route.ts';

const upstreams = [
  { host: 'docker.io', aliases: ['proxy.docker.io'] },
  { host: 'quay.io', aliases: ['hub'] },
  { host: 'localhost:5000', aliases: [] },
  { host: '[::1]:5000', aliases: [] },
];
const router = createRouter({ upstreams, defaultUpstream: 'docker.io' });
const asked = (name: string, hints: Partial<Asked> = {}): Asked => ({ ns: [], ...hints, name });

interface Row {
  readonly name: string;
  readonly hints?: Partial<Asked>;
  readonly goes: string;
}

const ROWS: readonly Row[] = [
  { name: 'nginx', goes: 'docker.io/library/nginx' },
  { name: 'org/nginx', goes: 'docker.io/org/nginx' },
  { name: 'my.image', goes: 'docker.io/library/my.image' },
  { name: 'localhost', goes: 'docker.io/library/localhost' },
  { name: 'library/nginx', hints: { ns: ['docker.io'] }, goes: 'docker.io/library/nginx' },
  { name: 'nginx', hints: { ns: ['docker.io'] }, goes: 'docker.io/library/nginx' },
  { name: 'org/x', hints: { ns: ['quay.io'] }, goes: 'quay.io/org/x' },
  { name: 'x', hints: { ns: ['quay.io'] }, goes: 'quay.io/x' },
  { name: 'x', hints: { ns: ['QUAY.io'] }, goes: 'quay.io/x' },
  { name: 'x', hints: { ns: ['index.docker.io'] }, goes: 'docker.io/library/x' },
  { name: 'x', hints: { ns: ['registry-1.docker.io'] }, goes: 'docker.io/library/x' },
  { name: 'x', hints: { ns: ['registry.hub.docker.com'] }, goes: 'docker.io/library/x' },
  { name: 'a/b', hints: { ns: ['localhost:5000'] }, goes: 'localhost:5000/a/b' },
  { name: 'a/b', hints: { ns: ['[::1]:5000'] }, goes: '[::1]:5000/a/b' },
  { name: 'a/b', hints: { registry: 'quay.io' }, goes: 'quay.io/a/b' },
  { name: 'a/b', hints: { prefix: 'quay.io' }, goes: 'quay.io/a/b' },
  { name: 'a/b', hints: { prefix: 'hub' }, goes: 'quay.io/a/b' },
  {
    name: 'a/b',
    hints: { ns: ['docker.io'], registry: 'index.docker.io', prefix: 'proxy.docker.io' },
    goes: 'docker.io/a/b',
  },
  { name: 'quay.io/org/x', goes: 'quay.io/org/x' },
  { name: 'hub/x', goes: 'quay.io/x' },
  { name: 'docker.io/nginx', goes: 'docker.io/library/nginx' },
  { name: 'localhost:5000/x', goes: 'localhost:5000/x' },
  // The registry said twice is one; another one is part of the name.
  { name: 'docker.io/library/x', hints: { ns: ['docker.io'] }, goes: 'docker.io/library/x' },
  { name: 'proxy.docker.io/library/x', hints: { ns: ['docker.io'] }, goes: 'docker.io/library/x' },
  { name: 'docker.io/x', hints: { ns: ['docker.io'] }, goes: 'docker.io/library/x' },
  { name: 'quay.io/org/x', hints: { ns: ['docker.io'] }, goes: 'docker.io/quay.io/org/x' },
  { name: 'quay.io', hints: { ns: ['quay.io'] }, goes: 'quay.io/quay.io' },
];

suite('a name goes', () => {
  for (const { name, hints, goes } of ROWS) {
    test(`${name} ${JSON.stringify(hints ?? {})} to ${goes}`, () => {
      const { host, path } = router.repository(asked(name, hints));
      assert.equal(`${host}/${path}`, goes);
    });
  }
});

interface Refusal {
  readonly name: string;
  readonly hints?: Partial<Asked>;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  { name: 'x', hints: { ns: [''] }, code: 'NAME_INVALID', says: /empty/ },
  { name: 'x', hints: { registry: '' }, code: 'NAME_INVALID', says: /empty/ },
  { name: 'x', hints: { ns: ['quay.io', 'quay.io'] }, code: 'NAME_INVALID', says: /2 times/ },
  { name: 'x', hints: { ns: ['https://quay.io'] }, code: 'NAME_INVALID', says: /registry/ },
  { name: 'x', hints: { ns: ['quay.io/org'] }, code: 'NAME_INVALID', says: /registry/ },
  { name: 'x', hints: { ns: ['user@quay.io'] }, code: 'NAME_INVALID', says: /registry/ },
  { name: 'x', hints: { registry: 'quay.io, docker.io' }, code: 'NAME_INVALID', says: /registry/ },
  { name: 'x', hints: { ns: ['ghcr.io'] }, code: 'NAME_UNKNOWN', says: /upstreams\.ghcr\.io/ },
  { name: 'x', hints: { ns: ['127.0.0.1:80'] }, code: 'NAME_UNKNOWN', says: /upstreams\.127/ },
  { name: 'x', hints: { prefix: 'ghcr.io' }, code: 'NAME_UNKNOWN', says: /upstreams\.ghcr\.io/ },
  {
    name: 'x',
    hints: { ns: ['quay.io'], registry: 'docker.io' },
    code: 'NAME_INVALID',
    says: /more than one/,
  },
  {
    name: 'x',
    hints: { ns: ['quay.io'], prefix: 'docker.io' },
    code: 'NAME_INVALID',
    says: /more than one/,
  },
  { name: 'ghcr.io/org/x', code: 'NAME_UNKNOWN', says: /upstreams\.ghcr\.io/ },
  { name: 'other:5000/x', code: 'NAME_UNKNOWN', says: /upstreams\.other:5000/ },
  { name: 'localhost/x', code: 'NAME_UNKNOWN', says: /upstreams\.localhost/ },
  { name: 'quay.io', code: 'NAME_INVALID', says: /repository is missing/ },
  { name: 'quay.io/', code: 'NAME_INVALID', says: /repository name/ },
  { name: '', code: 'NAME_INVALID', says: /repository name/ },
  { name: 'UPPER/x', code: 'NAME_INVALID', says: /repository name/ },
  { name: 'a//b', code: 'NAME_INVALID', says: /repository name/ },
  { name: 'a/../b', code: 'NAME_INVALID', says: /repository name/ },
  { name: '../x', code: 'NAME_INVALID', says: /registry/ },
  { name: 'a'.repeat(256), code: 'NAME_INVALID', says: /255/ },
  { name: 'localhost:5000/x', hints: { ns: ['quay.io'] }, code: 'NAME_INVALID', says: /name/ },
];

suite('a name is refused', () => {
  for (const { name, hints, code, says } of REFUSALS) {
    test(`${name.slice(0, 20)} ${JSON.stringify(hints ?? {})} with ${code}`, () => {
      assert.throws(
        () => router.repository(asked(name, hints)),
        (error) =>
          error instanceof RegistryError && error.code === code && says.test(error.message),
      );
    });
  }
});

test('without a default upstream a bare name is not served, and the message says how it could be', () => {
  const strict = createRouter({ upstreams, defaultUpstream: undefined });
  assert.throws(
    () => strict.repository(asked('org/x')),
    (error) =>
      error instanceof RegistryError &&
      error.code === 'NAME_UNKNOWN' &&
      error.message.includes('defaultUpstream'),
  );
  assert.equal(strict.repository(asked('quay.io/org/x')).host, 'quay.io');
});

test('an upstream of its own keeps the name that others take for an alias of the Hub', () => {
  const own = createRouter({
    upstreams: [...upstreams, { host: 'registry-1.docker.io', aliases: [] }],
    defaultUpstream: undefined,
  });
  assert.equal(own.upstream({ ns: ['registry-1.docker.io'] }), 'registry-1.docker.io');
  assert.equal(own.upstream({ ns: ['index.docker.io'] }), 'docker.io');
});

test('without docker.io its aliases are nobody', () => {
  const none = createRouter({
    upstreams: [{ host: 'quay.io', aliases: [] }],
    defaultUpstream: 'quay.io',
  });
  assert.throws(() => none.upstream({ ns: ['index.docker.io'] }), { code: 'NAME_UNKNOWN' });
});

test('hints alone name an upstream, or none', () => {
  assert.equal(router.upstream({ ns: [] }), undefined);
  assert.equal(router.upstream({ ns: ['hub'] }), 'quay.io');
});

const words = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('docker.io', 'quay.io', 'hub', 'ghcr.io', 'localhost', 'a', '..', '', 'x:1'),
);
const names = fc.array(words, { maxLength: 4 }).map((parts) => parts.join('/'));

test('whatever is asked, the answer is a configured host with a valid path, or a RegistryError', () => {
  const hosts = new Set(upstreams.map(({ host }) => host));
  fc.assert(
    fc.property(
      names,
      fc.array(words, { maxLength: 2 }),
      fc.option(words, { nil: undefined }),
      fc.option(words, { nil: undefined }),
      (name, ns, registry, prefix) => {
        try {
          const { host, path } = router.repository({ name, ns, registry, prefix });
          assert.ok(hosts.has(host));
          assert.match(path, /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/);
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
