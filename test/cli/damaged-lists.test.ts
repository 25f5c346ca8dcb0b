import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { file, tarOf } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here } from './here.ts';

/** What is told of an image that cannot be listed: one line, whatever the line quotes. */
async function line(asked: readonly string[]): Promise<string> {
  const { code, out, error } = await here(asked, { environment: { HOME: '/nonexistent' } });
  assert.deepEqual([code, out], [1, ''], error);
  const told = error.split('\n').find((one) => one.startsWith('layover: '));
  assert.deepEqual(error.split('\n').slice(-2), [told, ''], error);
  return told ?? '';
}

test('a manifest that is a page for people', async () => {
  await using registry = await startRegistry();
  registry.misbehave(
    { path: /\/manifests\// },
    { kind: 'status', status: 200, body: '<html>\n\u001b[31m', headers: { 'content-type': 'x/y' } },
  );
  const told = await line(['digest', `${registry.host}/team/app:1`]);
  assert.match(
    told,
    /team\/app: not a manifest but x\/y: the manifest is not JSON: .*<html> \[31m/,
  );
});

test('lists in folders and archives that are no JSON, or another kind of it', async () => {
  await using folder = await temporaryFolder();
  const layout = path.join(folder.path, 'layout');
  await mkdir(layout);
  for (const [text, says] of [
    ['{', 'not JSON'],
    ['null', 'not a JSON object'],
  ] as const) {
    await writeFile(path.join(layout, 'index.json'), text);
    const told = await line(['ls', `oci:${layout}`]);
    assert.ok(told.startsWith(`layover: ${layout}, index.json: the manifest is ${says}`), told);
  }
  const archive = path.join(folder.path, 'app.tar');
  await writeFile(archive, tarOf([file('manifest.json', '{')]));
  const told = await line(['ls', `docker-archive:${archive}`]);
  assert.ok(told.startsWith(`layover: ${archive}: manifest.json is not JSON: `), told);
});
