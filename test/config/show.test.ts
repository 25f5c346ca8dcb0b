import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../../src/config/load.ts';
import { showSettings } from '../../src/config/show.ts';

const TEXT = `
listen: "[::1]:5000"
tls: { cert: a.pem, key: "#odd: key" }
tags:
  freshFor: 5m
upstreams:
  gcr.io: off
  localhost:5000: { url: "http://localhost:5000", mirrors: ["http://a", "http://b"], tls: { insecureSkipVerify: true } }
  quay.io:
    timeouts: { idle: 1m }
`;

test('every line says where its value comes from', () => {
  const shown = showSettings(
    load({
      file: { name: 'c.yaml', text: TEXT },
      environment: { LAYOVER_STORAGE_PATH: '/data' },
      overrides: [{ flag: '--offline', key: 'offline', value: true }],
    }),
  );
  for (const line of [
    "listen: '[::1]:5000'  # c.yaml:2",
    '  path: /data  # environment LAYOVER_STORAGE_PATH',
    '  maxSize: 50GiB  # default',
    'offline: true  # flag --offline',
    '  freshFor: 5m  # c.yaml:5',
    '    mirrors: [http://a, http://b]  # c.yaml:8',
    '  gcr.io: off  # c.yaml:7',
    '  ghcr.io: {}  # default',
    '    url: https://registry-1.docker.io  # default',
  ]) {
    assert.ok(shown.split('\n').includes(line), `${line}\n---\n${shown}`);
  }
  for (const line of shown.trimEnd().split('\n')) {
    assert.match(line, /(?::| {2}# (?:default|c\.yaml:\d+|environment \w+|flag --[a-z-]+))$/);
  }
});

test('what is shown means the same when it is loaded', () => {
  for (const text of ['', TEXT]) {
    const first = load({ file: { name: 'c.yaml', text }, environment: {}, overrides: [] });
    const again = load({
      file: { name: 'd.yaml', text: showSettings(first) },
      environment: {},
      overrides: [],
    });
    assert.deepEqual(again.config, first.config);
  }
});

test('secrets are masked, and what is none is shown', () => {
  const text = `
upstreams:
  x.io:
    credentials: { username: me, password: hunter2 }
    proxy: http://me:hunter2@proxy:3128
    headers: { Authorization: Bearer hunter2, X-Team: hunter2 }
  y.io:
    proxy: https://hunter2@proxy:3129
    mirrors: ["https://a"]
`;
  const shown = showSettings(load({ file: { name: 'c', text }, environment: {}, overrides: [] }));
  assert.ok(!shown.includes('hunter2'), shown);
  for (const part of [
    'username: me',
    "X-Team: '********'",
    '@proxy:3128',
    '@proxy:3129',
    'mirrors: [https://a]',
  ]) {
    assert.ok(shown.includes(part), `${part}\n---\n${shown}`);
  }
});
