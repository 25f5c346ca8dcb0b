import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { hostsToml } from '../../src/setup/hosts-toml.ts';
import { parseMirror } from '../../src/setup/target.ts';
import { parseToml } from '../../src/setup/toml.ts';

const mirror = parseMirror('http://10.0.0.5:8080/');
const quay = { host: 'quay.io', mirror, ca: undefined };

test('a new file has the registry itself behind the mirror', () => {
  const text = hostsToml(undefined, quay);
  assert.deepEqual(JSON.parse(JSON.stringify(parseToml(text))), {
    server: 'https://quay.io',
    host: { 'http://10.0.0.5:8080': { capabilities: ['pull', 'resolve'] } },
  });
  assert.equal(hostsToml(text, quay), text);
});

test('Docker Hub is behind another name, and a registry of this machine speaks what it speaks', () => {
  const server = (host: string): unknown =>
    parseToml(hostsToml(undefined, { ...quay, host }))['server'];
  assert.equal(server('docker.io'), 'https://registry-1.docker.io');
  assert.equal(server('localhost:5000'), undefined);
  assert.equal(server('registry.lan:5000'), 'https://registry.lan:5000');
});

const FOREIGN = `\
# by hand
server = "https://quay.io" # the real one

[host."https://other.lan"]
  capabilities = ["pull"]
  skip_verify = true

  [host."https://other.lan".header]
    x-team = ["build"]
`;

test('in front of the hosts that are there, which stay as they are', () => {
  const text = hostsToml(FOREIGN, { ...quay, ca: '/etc/ca.crt' });
  assert.deepEqual(Object.keys(parseToml(text)['host'] as object), [
    mirror.url,
    'https://other.lan',
  ]);
  const lines = new Set(text.split('\n'));
  assert.ok(FOREIGN.split('\n').every((line) => lines.has(line)));
  assert.match(text, /ca = "\/etc\/ca.crt"/);
  assert.equal(hostsToml(text, { ...quay, ca: '/etc/ca.crt' }), text);
});

test('a mirror that has moved takes the place of what it was', () => {
  const moved = { ...quay, mirror: parseMirror('https://mirror.lan') };
  assert.equal(hostsToml(hostsToml(FOREIGN, quay), moved), hostsToml(FOREIGN, moved));
});

test('a mirror that somebody entered by hand is right, or said not to be', () => {
  const byHand = (rest: string): string => `[host."http://10.0.0.5:8080"]\n${rest}\n`;
  const right = byHand('capabilities = ["resolve", "pull", "push"]');
  assert.equal(hostsToml(right, quay), right);
  assert.equal(hostsToml(byHand(''), quay), byHand(''));
  assert.throws(() => hostsToml(byHand('capabilities = ["pull"]'), quay), /without resolve/);
  const second = `[host."http://a"]\n${byHand('')}`;
  assert.throws(() => hostsToml(second, quay), /not as its first/);
});

for (const [what, text] of [
  ['does not parse', '[host."x"\n'],
  ['has its hosts in one line', 'host = { "http://a" = { capabilities = ["pull"] } }\n'],
  ['has something else under the name', 'host = 1\n'],
] as const) {
  test(`a file that ${what} is left alone`, () => {
    assert.throws(() => hostsToml(text, quay), RegistryError);
  });
}
