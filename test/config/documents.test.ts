import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { defaultFile } from '../../src/config/default-file.ts';
import { load } from '../../src/config/load.ts';
import { leaves, outline } from '../../src/config/outline.ts';
import { reference } from '../../src/config/reference.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { WELL_KNOWN } from '../../src/config/well-known.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const STALE = 'made from the schema, and stale: npm run docs';

test('the default file and the reference are what the schema says', async () => {
  assert.equal(await read('config/layover.yaml'), defaultFile(), `config/layover.yaml is ${STALE}`);
  assert.equal(
    await read('docs/configuration.md'),
    reference(),
    `docs/configuration.md is ${STALE}`,
  );
});

test('the default file means exactly the defaults', async () => {
  const file = { name: 'config/layover.yaml', text: await read('config/layover.yaml') };
  const withFile = load({ file, environment: {}, overrides: [] });
  const without = load({ environment: {}, overrides: [] });
  assert.deepEqual(withFile.config, without.config);
});

test('with every example taken out of its comment, the default file is right too', async () => {
  const [, ...blocks] = (await read('config/layover.yaml')).split('\n\n');
  const text = blocks
    .join('\n\n')
    .replaceAll(/^[ #]+(?=[\w.]+:(?: |$))/gm, (prefix) => prefix.replaceAll('# ', ''));
  assert.deepEqual(
    Object.keys(parse(text)),
    outline().map(({ name }) => name),
  );
  const { config } = load({ file: { name: 'f', text }, environment: {}, overrides: [] });
  assert.equal(config.tls?.cert, 'tls.pem');
  assert.equal(config.upstreams.get('registry.example.com')?.tls.ca, 'ca.pem');
});

test('no key is missing from the default file and the reference, and each says why', async () => {
  const [file, page] = [await read('config/layover.yaml'), await read('docs/configuration.md')];
  const shownByExample = new Set(['password', 'passwordEnv', 'helper']);
  for (const { name, path, description } of leaves(outline())) {
    assert.notEqual(description, '', path.join('.'));
    const ofTags = path[0] === 'upstreams' && path[2] === 'tags';
    if (!shownByExample.has(name) && !ofTags) assert.match(file, new RegExp(`^[ #]*${name}:`, 'm'));
    assert.ok(page.includes(path.slice(path[0] === 'upstreams' ? 2 : 0).join('.')), path.join('.'));
  }
  for (const name of Object.keys(WELL_KNOWN)) assert.ok(file.includes(`\n  ${name}: {}\n`), name);
});

test('the JSON Schema keeps to expressions that Go knows and to standard keywords', () => {
  const written = JSON.stringify(jsonSchema());
  assert.ok(!/\(\?[=!<]/.test(written));
  assert.ok(written.includes('"additionalProperties":false'));
  assert.ok(written.includes('"default":"50GiB"'));
});
