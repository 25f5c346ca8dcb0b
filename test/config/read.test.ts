import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkConfig, readConfig, type Request } from '../../src/config/read.ts';

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'layover-config-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const request = (given: Partial<Request>): Request => ({
  file: undefined,
  defaultFile: 'nowhere/layover.yaml',
  environment: {},
  overrides: [],
  ...given,
});

test('--config wins over LAYOVER_CONFIG, which wins over the default file', async () => {
  await using place = await folder();
  const [one, two, three] = ['one', 'two', 'three'].map((name) => join(place.path, name));
  await writeFile(one!, 'drain: 1s');
  await writeFile(two!, 'drain: 2s');
  await writeFile(three!, 'drain: 3s');
  const all = { file: one, environment: { LAYOVER_CONFIG: two }, defaultFile: three! };
  assert.equal((await readConfig(request(all))).config.drain, 1000);
  assert.equal((await readConfig(request({ ...all, file: undefined }))).config.drain, 2000);
  const last = await readConfig(request({ defaultFile: three! }));
  assert.equal(last.config.drain, 3000);
  assert.equal(last.file, three);
});

test('a default file that is not there is no fault', async () => {
  const { config, file } = await readConfig(request({ environment: { LAYOVER_CONFIG: '' } }));
  assert.equal(config.drain, 30_000);
  assert.equal(file, undefined);
});

test('a named file that is not there, and any that cannot be read, is a fault', async () => {
  await using place = await folder();
  const missing = join(place.path, 'missing.yaml');
  for (const [given, fault] of [
    [{ file: missing }, `--config: ${missing}: there is no such file`],
    [
      { environment: { LAYOVER_CONFIG: missing } },
      `LAYOVER_CONFIG: ${missing}: there is no such file`,
    ],
    [{ file: place.path }, `--config: ${place.path}: it cannot be read (EISDIR)`],
    [{ defaultFile: place.path }, `${place.path}: it cannot be read (EISDIR)`],
  ] as const) {
    assert.deepEqual(await checkConfig(request(given), 'unchecked'), [fault]);
    await assert.rejects(readConfig(request(given)), { name: 'ConfigError' });
  }
});

test('faults name the file as it was given', async () => {
  await using place = await folder();
  const file = join(place.path, 'mine.yaml');
  await writeFile(file, 'drain: soon\n');
  const [fault] = await checkConfig(request({ file }), 'unchecked');
  assert.ok(fault?.startsWith(`${file}:1:8 drain: "soon" is not a duration`), fault);
});

test('read again, a file that is gone or empty is a fault, where there was something before', async () => {
  await using place = await folder();
  const defaultFile = join(place.path, 'layover.yaml');
  const asked = request({ defaultFile });
  const nothing = await readConfig(asked);
  await writeFile(defaultFile, 'drain: 1s\n');
  const before = await readConfig(asked, nothing);
  assert.equal(before.config.drain, 1000);
  for (const [text, reason] of [
    [undefined, /there is no such file any more/],
    ['', /it is empty/],
    [' \n', /it is empty/],
  ] as const) {
    await rm(defaultFile);
    if (text !== undefined) await writeFile(defaultFile, text);
    await assert.rejects(readConfig(asked, before), { name: 'ConfigError', message: reason });
    assert.equal((await readConfig(asked, nothing)).config.drain, 30_000);
    await writeFile(defaultFile, text ?? '');
  }
  await writeFile(defaultFile, '{}\n');
  assert.equal((await readConfig(asked, before)).config.drain, 30_000);
});

test('what the configuration names is checked if that is wanted', async () => {
  await using place = await folder();
  const file = join(place.path, 'mine.yaml');
  const missing = join(place.path, 'ca.pem');
  await writeFile(file, `upstreams: { x.io: { tls: { ca: ${missing} } } }\n`);
  assert.deepEqual(await checkConfig(request({ file }), 'unchecked'), []);
  assert.deepEqual(await checkConfig(request({ file }), 'checked'), [
    `${file}:1:33 upstreams.x.io.tls.ca: ${missing}: there is no such file`,
  ]);
});
