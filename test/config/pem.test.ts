import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ConfigError, formatFault } from '../../src/config/fault.ts';
import { load } from '../../src/config/load.ts';
import { pemFilesOf, readPem } from '../../src/config/pem.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const loaded = (text: string) =>
  load({ file: { name: 'c.yaml', text }, environment: {}, overrides: [] });

async function faultsOf(text: string): Promise<readonly string[]> {
  try {
    await readPem(loaded(text), {});
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(formatFault);
    throw error;
  }
  return [];
}

/** Files of a folder by their names, for use in a configuration. */
async function folderOf(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  const at = (name: string): string => path.join(folder.path, name);
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
  return { at, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

const authority = certificateAuthority();
const [own, other] = [authority.issue('a'), authority.issue('b')];

test('every PEM file is read, once', async () => {
  await using place = await folderOf({ cert: own.cert, key: own.key, ca: authority.ca });
  const [cert, key, ca] = ['cert', 'key', 'ca'].map(place.at) as [string, string, string];
  const text = `
tls: { cert: ${cert}, key: ${key}, clientCa: ${ca} }
upstreams:
  x.io: { tls: { ca: ${ca}, cert: ${cert}, key: ${key} } }
`;
  const found = await readPem(loaded(text), {});
  assert.deepEqual([...found.keys()].toSorted(), [ca, cert, key]);
  assert.equal(found.get(cert), own.cert);
  assert.deepEqual(pemFilesOf(loaded(text).config).toSorted(), [ca, cert, key]);
  assert.deepEqual((await readPem(loaded(''), {})).size, 0);
});

test('every fault is told, with its place', async () => {
  await using place = await folderOf({
    cert: own.cert,
    key: other.key,
    ca: 'nothing of the kind',
    cut: `${authority.ca}${authority.ca.slice(0, 200)}\n-----END CERTIFICATE-----\n`,
  });
  const { at } = place;
  const text = [
    `tls: { cert: ${at('cert')}, key: ${at('key')} }`,
    'upstreams:',
    '  x.io:',
    `    tls: { ca: ${at('ca')}, cert: ${at('missing')}, key: ${at('key')} }`,
    '    credentials: { username: me, passwordEnv: NOT_SET }',
    '  y.io:',
    '    tls:',
    `      ca: ${at('.')}`,
    `  z.io: { tls: { ca: ${at('cut')} } }`,
  ].join('\n');
  const faults = (await faultsOf(text)).map((fault) => fault.replaceAll(at('.'), 'FOLDER'));
  const places = faults.map((fault) => fault.replace(/: .*/s, ''));
  assert.deepEqual(places, [
    `c.yaml:1:${text.indexOf(at('key')) + 1} tls.key`,
    'c.yaml:4:16 upstreams.x.io.tls.ca',
    `c.yaml:4:${text.split('\n')[3]!.indexOf(at('missing')) + 1} upstreams.x.io.tls.cert`,
    'c.yaml:5:47 upstreams.x.io.credentials.passwordEnv',
    'c.yaml:8:11 upstreams.y.io.tls.ca',
    'c.yaml:9:22 upstreams.z.io.tls.ca',
  ]);
  for (const [fault, reason] of [
    [0, 'it is not the key of the certificate in'],
    [1, 'it is not PEM of the kind that belongs here'],
    [2, 'there is no such file'],
    [3, 'the environment has no NOT_SET'],
    [4, 'it cannot be read (EISDIR)'],
    [5, 'it is not PEM of the kind that belongs here'],
  ] as const) {
    assert.ok(faults[fault]?.includes(reason), `${faults[fault]}: ${reason}`);
  }
});
