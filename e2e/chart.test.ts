import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { chart, objectsIn, type Chart, type KubernetesObject } from './lib/chart.ts';
import { configIn, fits } from './lib/chart-checks.ts';
import { CASES, REFUSED } from './lib/chart-values.ts';
import { commandIn } from './lib/command.ts';
import { kubernetesSchemas, missingSchemas } from './lib/kubernetes-schemas.ts';
import { attempt } from './lib/process.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

const [[helm], [kubeconform]] = await Promise.all([tools('helm'), tools('kubeconform')]);
assert.ok(helm !== undefined && kubeconform !== undefined);

suite('the chart', { skip: helm.missing ?? false }, () => {
  let folder: Scratch;
  let made: Chart;
  let schemas: string | undefined;
  before(async () => {
    folder = await scratch();
    assert.ok(helm.missing === undefined);
    made = chart(helm, folder);
    if (missingSchemas() === undefined) schemas = await kubernetesSchemas(folder.at('schemas'));
  });
  after(() => folder?.[Symbol.asyncDispose]());

  const rendered = async (name: string): Promise<readonly KubernetesObject[]> => {
    const { code, stdout, stderr } = await made.template(CASES[name] ?? assert.fail(name));
    assert.equal(code, 0, stderr);
    return objectsIn(stdout);
  };
  test('helm lint has nothing to say', async () => {
    for (const [name, values] of Object.entries(CASES)) {
      const { code, stdout, stderr } = await made.lint(values);
      assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
    }
  });

  for (const name of Object.keys(CASES)) {
    test(`${name}: what is rendered fits together`, async (t) => {
      const objects = await rendered(name);
      assert.ok(objects.length > 3);
      for (const object of objects) fits(object, objects);
      await configured(folder, objects);
      await t.test('and is what Kubernetes knows', { skip: skipped() }, async () => {
        assert.ok(schemas !== undefined);
        await valid(folder, schemas, objects);
      });
    });
  }

  test('the values that docs/kubernetes.md shows are values', async () => {
    const text = await readFile(new URL('../docs/kubernetes.md', import.meta.url), 'utf8');
    const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
    assert.ok(blocks.length > 5);
    for (const [, block = ''] of blocks) {
      const { code, stdout, stderr } = await made.template(parse(block) as object);
      assert.equal(code, 0, block + stderr);
      const objects = objectsIn(stdout);
      for (const object of objects) fits(object, objects);
      await configured(folder, objects);
    }
  });

  test('who has installed it is told what is next', async () => {
    const told = async (name: string): Promise<string> => made.notes(CASES[name] ?? {});
    assert.match(await told('nothing but the image'), /as http:\/\/release-layover\.\w+\.svc:8080/);
    assert.match(await told('nothing but the image'), /No node asks it for anything yet/);
    assert.match(await told('nodes by their port'), /at http:\/\/\$\(NODE_IP\):30500,/);
    assert.match(await told('nodes that are to be as they were'), /brought back/);
    assert.match(await made.notes({ config: { hosted: ['**'] } }), /can push and delete/);
  });

  for (const [name, [values, says]] of Object.entries(REFUSED)) {
    test(`${name}: refused`, async () => {
      const { code, stderr } = await made.template(values);
      assert.notEqual(code, 0);
      assert.match(stderr, says);
    });
  }

  test('a cluster that is older than what is rendered is refused', async () => {
    const { code, stderr } = await made.template({}, '1.29.9');
    assert.notEqual(code, 0);
    assert.match(stderr, /kubeVersion: >=1\.30/);
    assert.equal((await made.template({}, '1.30.0')).code, 0);
  });

  test('a schema that knows a fault finds it', { skip: skipped() }, async () => {
    assert.ok(schemas !== undefined);
    const [first] = objectsIn(
      '{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {typ: ClusterIP}}',
    );
    assert.ok(first !== undefined);
    await assert.rejects(valid(folder, schemas, [first]), /typ/);
  });
});

function skipped(): string | false {
  return missingSchemas() ?? kubeconform?.missing ?? false;
}

/** The configuration is one that the server starts with. */
async function configured(folder: Scratch, objects: readonly KubernetesObject[]): Promise<void> {
  const file = folder.at('layover.yaml');
  await writeFile(file, configIn(objects));
  const { code, stdout } = await commandIn(folder.path).attempt(
    'layover',
    'settings',
    'check',
    file,
  );
  assert.equal(code, 0, stdout);
}

async function valid(
  folder: Scratch,
  schemas: string,
  objects: readonly KubernetesObject[],
): Promise<void> {
  assert.ok(kubeconform !== undefined && kubeconform.missing === undefined);
  const file = folder.at('objects.json');
  await writeFile(
    file,
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.map(({ whole }) => whole) }),
  );
  const [command, ...first] = kubeconform.command('kubeconform', folder.path);
  const done = await attempt(command, [
    ...first,
    '-strict',
    '-summary',
    '-schema-location',
    schemas,
    file,
  ]);
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.match(
    done.stdout,
    new RegExp(`Valid: ${objects.length}, Invalid: 0, Errors: 0, Skipped: 0`),
  );
}
