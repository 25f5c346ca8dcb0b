import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { chartSchema } from '../../src/config/chart-schema.ts';
import { jsonSchema } from '../../src/config/schema.ts';

const read = (path: string): Promise<string> =>
  readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

type Schema = Readonly<Record<string, unknown>> & {
  readonly properties?: Readonly<Record<string, Schema>>;
};

test('values.schema.json is up to date (npm run docs)', async () => {
  assert.equal(await read('charts/layover/values.schema.json'), chartSchema());
});

test('config has the keys of the configuration itself', () => {
  const { properties } = JSON.parse(chartSchema()) as Schema;
  const own = jsonSchema() as Schema;
  assert.deepEqual(
    Object.keys(properties?.['config']?.properties ?? {}),
    Object.keys(own.properties ?? {}),
  );
  // What is left out has the server's default, not one of the chart's.
  assert.equal(properties?.['config']?.['required'], undefined);
});

/** Keys that may not be there: the names are the user's, or Helm's. */
const FREE = new Set(['config', 'global']);

function same(values: unknown, schema: Schema, path: string): void {
  if (schema.properties === undefined || typeof values !== 'object' || values === null) return;
  const [has, may] = [Object.keys(values), Object.keys(schema.properties)];
  assert.deepEqual(has.toSorted(), may.filter((key) => key !== 'global').toSorted(), path);
  for (const [key, value] of Object.entries(values)) {
    const part = schema.properties[key];
    if (part !== undefined && !FREE.has(key)) same(value, part, `${path}.${key}`);
  }
}

test('values.yaml has every key that the schema allows, and no other', async () => {
  same(parse(await read('charts/layover/values.yaml')), JSON.parse(chartSchema()), 'values');
});

test('the chart has the version of the package', async () => {
  const { version } = JSON.parse(await read('package.json')) as { version: string };
  const chart = parse(await read('charts/layover/Chart.yaml')) as Record<string, string>;
  assert.deepEqual([chart['version'], chart['appVersion']], [version, version]);
});
