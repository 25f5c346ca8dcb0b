import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { changeOf } from '../../src/config/changes.ts';
import type { Config } from '../../src/config/config.ts';
import { load } from '../../src/config/load.ts';
import { leaves, outline } from '../../src/config/outline.ts';

function configOf(text: string): Config {
  return load({ file: { name: 'c', text }, environment: {}, overrides: [] }).config;
}

const changed = (before: string, after: string) => changeOf(configOf(before), configOf(after));

suite('what sets two configurations apart', () => {
  for (const [before, after, keys] of [
    ['', '', []],
    ['drain: 30s', 'drain: 30000ms', []],
    ['drain: 30s', 'drain: 40s', ['drain']],
    ['', 'log: { level: debug }', ['log.level']],
    ['', 'storage: { maxSize: 1GiB, pins: [docker.io/**] }', ['storage.maxSize', 'storage.pins']],
    ['hosted: [a/*, b/*]', 'hosted: [a/*, b/*]', []],
    ['hosted: [a/*]', 'hosted: [b/*]', ['hosted']],
    ['', 'upstreams: { x.io: {} }', ['upstreams.x.io']],
    ['upstreams: { x.io: {} }', '', ['upstreams.x.io']],
    ['', 'upstreams: { quay.io: off }', ['upstreams.quay.io']],
    [
      'upstreams: { x.io: { url: "https://a", timeouts: { idle: 1s } } }',
      'upstreams: { x.io: { url: "https://b", timeouts: { idle: 2s } } }',
      ['upstreams.x.io.url', 'upstreams.x.io.timeouts.idle'],
    ],
    // Every upstream has it from there: saying so twenty times helps nobody.
    ['', 'tags: { freshFor: 5m }', ['tags.freshFor']],
    [
      'upstreams: { x.io: { tags: { freshFor: 1s } } }',
      'tags: { freshFor: 5m }\nupstreams: { x.io: { tags: { freshFor: 2s } } }',
      ['tags.freshFor', 'upstreams.x.io.tags.freshFor'],
    ],
    ['gc: { pins: [] }', `gc: { pins: ["a/b@sha256:${'0'.repeat(64)}"] }`, ['gc.pins']],
    [
      'upstreams: { x.io: { credentials: { username: u, password: p } } }',
      'upstreams: { x.io: { credentials: { helper: h } } }',
      ['username', 'password', 'helper'].map((key) => `upstreams.x.io.credentials.${key}`),
    ],
    [
      'upstreams: { x.io: {} }',
      'upstreams: { x.io: { credentials: { username: u, passwordFile: p } } }',
      ['username', 'passwordFile'].map((key) => `upstreams.x.io.credentials.${key}`),
    ],
    ['tls: { cert: a, key: b }', 'tls: { cert: c, key: b }', ['tls.cert']],
    [
      'tls: { cert: a, key: b, clientCa: x }',
      'tls: { cert: a, key: b, clientCa: y }',
      ['tls.clientCa'],
    ],
  ] as const) {
    test(`${JSON.stringify(before)} and ${JSON.stringify(after)}: ${keys.join(', ') || 'nothing'}`, () => {
      const change = changed(before, after);
      assert.deepEqual(change.changed, keys);
      assert.deepEqual(change.needRestart, []);
      assert.deepEqual(changeOf(change.config, configOf(after)).changed, []);
    });
  }

  test('a value is never told: it may be a secret', () => {
    const credentials = (password: string): string =>
      `upstreams: { x.io: { credentials: { username: u, password: ${password} }, headers: { X-Key: ${password} } } }`;
    const { changed: keys } = changed(credentials('hunter2'), credentials('hunter3'));
    assert.deepEqual(keys, ['upstreams.x.io.credentials.password', 'upstreams.x.io.headers.X-Key']);
  });
});

suite('what needs a restart', () => {
  for (const [before, after, keys] of [
    ['', 'listen: :1', ['listen']],
    ['', 'admin: { listen: "127.0.0.1:1" }', ['admin.listen']],
    ['', 'storage: { path: elsewhere }', ['storage.path']],
    ['', 'tls: { cert: a, key: b }', ['tls']],
    ['tls: { cert: a, key: b }', '', ['tls']],
    ['tls: { cert: a, key: b }', 'tls: { cert: a, key: b, clientCa: c }', ['tls.clientCa']],
    ['tls: { cert: a, key: b, clientCa: c }', 'tls: { cert: a, key: b }', ['tls.clientCa']],
  ] as const) {
    test(`${JSON.stringify(before)} to ${JSON.stringify(after)}: ${keys.join(', ')} stays as it was`, () => {
      const change = changed(before, after);
      assert.deepEqual(change.needRestart, keys);
      assert.deepEqual(change.changed, []);
      assert.deepEqual(change.config, configOf(before));
    });
  }

  test('is told again each time, and the rest is in effect all the same', () => {
    const running = configOf('');
    const text = 'listen: 127.0.0.1:1\ndrain: 1s';
    const first = changeOf(running, configOf(text));
    assert.deepEqual([first.changed, first.config.drain], [['drain'], 1000]);
    const second = changeOf(first.config, configOf(text));
    assert.deepEqual([second.changed, second.needRestart], [[], first.needRestart]);
    assert.deepEqual(changeOf(second.config, configOf('')).needRestart, []);
  });
});

test('every key that holds a value is told when it is another', () => {
  const keys = leaves(outline()).filter(({ path }) => path[0] !== 'upstreams');
  const values: Readonly<Record<string, string>> = {
    listen: '127.0.0.1:9',
    'admin.listen': '127.0.0.1:9',
    defaultUpstream: 'quay.io',
    whenRateLimited: '503',
    'log.level': 'debug',
    'tags.whenUnreachable': 'fail',
    'tags.whenDeleted': 'follow',
    'uploads.sparse': 'all',
    'storage.lowWater': '0.5',
    'downloads.retries': '7',
    offline: 'true',
    hosted: '[a/*]',
    'storage.pins': '[docker.io/**]',
    'gc.pins': `["a/b@sha256:${'0'.repeat(64)}"]`,
  };
  for (const { path, type } of keys) {
    const key = path.join('.');
    const value = values[key] ?? (type === 'duration' ? '77s' : type === 'size' ? '77MiB' : 'x');
    if (key.startsWith('tls') || path[0] === 'prefetch') continue;
    const text = path.toReversed().reduce((inner, part) => `{ ${part}: ${inner} }`, value);
    const { changed: told, needRestart } = changed('', text);
    const found = [...told, ...needRestart];
    assert.ok(
      found.length > 0 && found.every((one) => one.startsWith(key)),
      `${key}: ${found.join(', ')}`,
    );
  }
});

test('nothing sets a configuration apart from itself, and what does is symmetric', () => {
  const entry = fc.record({
    url: fc.constantFrom('https://a', 'https://b'),
    maxConnections: fc.integer({ min: 1, max: 3 }),
    headers: fc.dictionary(fc.constantFrom('X-A', 'X-B'), fc.constantFrom('1', '2')),
    tags: fc.record({ freshFor: fc.constantFrom('1s', '2s') }, { requiredKeys: [] }),
  });
  const config = fc
    .record({
      drain: fc.constantFrom('1s', '2s'),
      offline: fc.boolean(),
      hosted: fc.subarray(['a/*', 'b/*']),
      upstreams: fc.dictionary(fc.constantFrom('x.io', 'y.io'), entry),
    })
    .map((value) => configOf(JSON.stringify(value)));
  fc.assert(
    fc.property(config, config, (one, other) => {
      assert.deepEqual(changeOf(one, one).changed, []);
      const [there, back] = [changeOf(one, other), changeOf(other, one)];
      assert.deepEqual(there.changed.toSorted(), back.changed.toSorted());
      assert.deepEqual(there.config, other);
    }),
    { numRuns: 200 },
  );
});
