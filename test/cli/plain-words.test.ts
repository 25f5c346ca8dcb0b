import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { layerOf, type Item } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here } from './here.ts';

const AS = { environment: { HOME: '/nonexistent' } };
const NO_CACHE = '--no-cache';

test('a certificate without its key is a line that makes no sense', async () => {
  const { code, out, error } = await here(['tags', '--cert', 'x', 'localhost:1/a'], AS);
  assert.deepEqual([code, out], [2, '']);
  assert.match(error, /--cert and --key belong together/);
});

test('nothing is said of how to run Node', async () => {
  const tls = certificateAuthority().issue('127.0.0.1');
  await using registry = await startRegistry({ tls });
  const { code, error } = await here(['tags', `${registry.host}/team/app`], AS);
  assert.equal(code, 1);
  assert.match(error, /--cacert FILE/);
  assert.doesNotMatch(error, /Node/);
});

test('a server without TLS is told as one, on one line, without the lines of OpenSSL', async () => {
  await using folder = await temporaryFolder();
  const ca = path.join(folder.path, 'ca.pem');
  await writeFile(ca, certificateAuthority().ca);
  await using registry = await startRegistry();
  const { host } = registry;
  const { code, error } = await here(['tags', '--cacert', ca, `${host}/team/app`], AS);
  assert.equal(code, 1);
  const told = `${host} does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER); --plain-http does without`;
  assert.equal(error, `layover: ${host}/team/app: ${told}\n`);
});

test('a certificate and a key of two others: the reason in a word', async () => {
  await using folder = await temporaryFolder();
  const [cert, key] = [path.join(folder.path, 'cert.pem'), path.join(folder.path, 'key.pem')];
  await writeFile(cert, certificateAuthority().issue('one').cert);
  await writeFile(key, certificateAuthority().issue('other').key);
  const line = ['tags', '--cert', cert, '--key', key, 'localhost:1/a'];
  const { code, error } = await here(line, AS);
  assert.equal(code, 1);
  assert.match(error, /do not belong together: ERR_OSSL_X509_KEY_VALUES_MISMATCH/);
  assert.doesNotMatch(error, /routines/);
});

test('a proxy that is not there is named, without its password', async () => {
  await using registry = await startRegistry();
  const gone = await startRegistry();
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  const line = ['tags', '--plain-http', '--proxy', `http://me:secret@${host}`];
  const { code, error } = await here([...line, `${registry.host}/team/app`], AS);
  assert.equal(code, 1);
  assert.ok(error.includes(`the way there may lead through the proxy ${host}`), error);
  assert.doesNotMatch(error, /secret/);
});

test('content that is not what its digest says is told with whose it is', async () => {
  await using registry = await startRegistry();
  await using other = await startRegistry();
  await using folder = await temporaryFolder();
  const layer = layerOf([{ name: 'f', data: 'x'.repeat(5000) }]);
  const { config } = registry.addImage('team/app', '1', { layers: [layer] });
  registry.misbehave({ path: new RegExp(digestOf(layer)) }, { kind: 'flip', at: 9 });
  registry.misbehave({ path: new RegExp(config.digest) }, { kind: 'flip', at: 9 });
  const image = `${registry.host}/team/app:1`;
  const tar = path.join(folder.path, 'app.tar');
  const lines = [
    ['pull', '-o', tar, image],
    ['pull', '--format', 'oci', '-o', path.join(folder.path, 'oci'), image],
    ['copy', image, `${other.host}/a/b:1`],
    ['config', image],
  ];
  for (const [index, [verb = '', ...line]] of lines.entries()) {
    for (const kept of [['--cache', path.join(folder.path, `cache-${index}`)], [NO_CACHE]]) {
      const { code, error } = await here([verb, '-q', ...kept, ...line], AS);
      assert.equal(code, 1);
      const told = error.startsWith(`layover: ${registry.host}/team/app: wrong content: `);
      assert.ok(told, error);
      assert.ok(
        [digestOf(layer), config.digest].some((digest) => error.includes(digest)),
        error,
      );
      assert.equal(error.trimEnd().split('\n').length, 1, error);
    }
  }
});

test('a page instead of a manifest is called what it came as, and why it is none is said once', async () => {
  await using registry = await startRegistry();
  const { host } = registry;
  const page = { kind: 'status', status: 200, body: '<html>\u001b[2J Welcome</html>' } as const;
  const headers = { 'content-type': 'text/html; charset=utf-8' };
  registry.misbehave({ path: /manifests/ }, { ...page, headers });
  const { code, error } = await here(['manifest', `${host}/team/app:1`], AS);
  assert.equal(code, 1);
  const told = `layover: ${host}/team/app: not a manifest but text/html: the manifest is not JSON: `;
  assert.ok(error.startsWith(told), error);
  assert.equal(error.split('not JSON').length, 2, error);
  assert.match(error, /Unexpected token/);
  assert.ok(!error.includes('\u001b'));
});

test('what is a device is called one', async () => {
  await using registry = await startRegistry();
  const device: Item = { name: 'dev/null', flag: '3' };
  registry.addImage('team/app', '1', { layers: [layerOf([device])] });
  const image = `${registry.host}/team/app:1`;
  const { code, error } = await here(['cat', NO_CACHE, image, '/dev/null'], AS);
  assert.equal(code, 1);
  assert.match(error, /is no file but a character device \(\/dev\/null\)/);
});

test('an archive that ends too early is said to once', async () => {
  await using registry = await startRegistry();
  const whole = layerOf([{ name: 'f', data: 'x'.repeat(5000) }], 'none');
  registry.addImage('team/app', '1', { layers: [whole.subarray(0, 3000)] });
  const image = `${registry.host}/team/app:1`;
  const { code, error } = await here(['cat', NO_CACHE, image, '/f'], AS);
  assert.equal(code, 1);
  assert.equal(error.split('truncated').length, 2, error);
});

test('a config that is no JSON is printed as it is, and called so', async () => {
  await using registry = await startRegistry();
  const content = 'not json';
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(Buffer.from(content)),
    size: content.length,
  };
  // Content is what the fixture has of layers.
  registry.addImage('team/app', '1', { layers: [content], manifest: { config } });
  const image = `${registry.host}/team/app:1`;
  for (const [line, printed] of [
    [['config', image], /^not json$/],
    [['config', '--json', image], /^$/],
    [['history', image], /LAYER/],
  ] as const) {
    const { code, out, error } = await here([line[0], NO_CACHE, ...line.slice(1)], AS);
    assert.equal(code, 1, error);
    assert.match(out, printed);
    assert.match(error, /^layover: the config of the image is no JSON object: sha256:/m);
  }
});

test('schema 1 is called what it is', async () => {
  await using registry = await startRegistry();
  const old = { schemaVersion: 1, name: 'old/app', tag: 'v1', fsLayers: [], history: [] };
  const type = 'application/vnd.docker.distribution.manifest.v1+json';
  registry.addManifest('old/app', 'v1', old, type);
  const image = `${registry.host}/old/app:v1`;
  for (const line of [
    ['pull', '-o', '-', image],
    ['ls', image],
    ['cat', image, '/x'],
    ['history', image],
  ]) {
    const { code, out, error } = await here([...line, NO_CACHE], AS);
    assert.deepEqual([code, out], [1, ''], line[0]);
    assert.match(error, /^layover: .*docker's schema 1, which was given up/m, line[0]);
  }
});
