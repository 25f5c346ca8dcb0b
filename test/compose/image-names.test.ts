import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { imagesIn } from '../../src/compose/image-files.ts';
import { namesIn } from '../../src/compose/image-names.ts';
import { LARGEST_DOCUMENT } from '../../src/image/finder/documents.ts';
import type { Finding } from '../../src/image/finder/finding.ts';
import { collect } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const NEVER = new AbortController().signal;

/** A file with one object, as large as any may be. */
async function large(folder: string): Promise<string> {
  const file = path.join(folder, 'large.yaml');
  const head = 'kind: Pod\napiVersion: v1\nspec: { image: "x:v1" }\nmore:\n';
  const line = '  - { name: some, value: [1, 2, "three"] }\n';
  const lines = Math.floor((LARGEST_DOCUMENT - head.length) / line.length);
  await writeFile(file, head + line.repeat(lines));
  return file;
}

test('files are read where nobody waits: the thread that answers clients has next to nothing to do with it', async () => {
  await using folder = await temporaryFolder();
  const file = await large(folder.path);
  const [thread, all] = [process.threadCpuUsage(), process.cpuUsage()];
  const { images, unusable } = await namesIn([file], { environment: {}, signal: NEVER });
  const [own, whole] = [process.threadCpuUsage(thread), process.cpuUsage(all)];
  assert.deepEqual([images, unusable], [['docker.io/library/x:v1'], []]);
  const share = (own.user + own.system) / (whole.user + whole.system);
  assert.ok(share < 0.25, `it did ${Math.round(share * 100)} % of the work`);
});

test('what files name, what in them cannot be used, and variables out of the environment', async () => {
  await using folder = await temporaryFolder();
  const [pods, compose] = ['pods.yaml', 'compose.yaml'].map((name) =>
    path.join(folder.path, name),
  ) as [string, string];
  await writeFile(pods, 'image: "a:1"\n---\nimage: "{{ .Values.image }}"\n');
  await writeFile(compose, 'services: { x: { image: "b:$TAG" } }\n');
  const environment = { TAG: '2', OTHER: undefined };
  const { images, unusable } = await namesIn([pods, compose], { environment, signal: NEVER });
  assert.deepEqual(images, ['docker.io/library/a:1', 'docker.io/library/b:2']);
  assert.equal(unusable.length, 1);
  assert.match(unusable[0]?.reason ?? '', /pods\.yaml:3 image: /);
});

test('compose files lead to others, each of which is read once', async () => {
  await using folder = await temporaryFolder();
  const write = async (name: string, text: string): Promise<string> => {
    const file = path.join(folder.path, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };
  const file = await write(
    'compose.yaml',
    `include: [sub/third.yaml, { path: ["$WHERE/fourth.yaml", none.yaml] }, "oci://x/y", compose.yaml]
services:
  far: { extends: { file: sub/base.yaml, service: one } }
  own: { extends: { file: sub/base.yaml, service: one }, image: own:1 }
  lost: { extends: { file: sub/base.yaml, service: lost } }
  both: { image: both:1, build: . }
`,
  );
  await write('.env', 'WHERE=sub\nTAG=1\n');
  await write('sub/.env', 'TAG=2\nINNER=3\n');
  await write('sub/third.yaml', 'services: { x: { image: "third:$TAG-$INNER" } }\n');
  await write(
    'sub/fourth.yaml',
    'include: [../compose.yaml]\nservices: { x: { image: fourth } }\n',
  );
  await write(
    'sub/base.yaml',
    'services: { one: { extends: two }, two: { image: two:1 }, three: { image: three:1 } }\n',
  );
  const { images, unusable, built } = await namesIn([file], { environment: {} });
  assert.deepEqual(
    images.toSorted(),
    ['both:1', 'fourth:latest', 'own:1', 'third:1-3', 'two:1'].map(
      (name) => `docker.io/library/${name}`,
    ),
  );
  assert.deepEqual(built, ['docker.io/library/both:1']);
  assert.deepEqual(
    unusable.map(({ reason }) => reason.replaceAll(`${folder.path}/`, '')).toSorted(),
    [
      'compose.yaml:1 include[1]: none.yaml: there is no such file',
      'sub/base.yaml:1 services.lost: another file extends this service, which is not here',
    ],
  );
});

test('files that lead to one another have an end, and folders within a folder are told', async () => {
  await using folder = await temporaryFolder();
  await mkdir(path.join(folder.path, 'inner'));
  const next = (index: number): string => `include: [${index + 1}.yaml]\nservices: {}\n`;
  for (let index = 0; index < 210; index += 1) {
    await writeFile(path.join(folder.path, `${index}.yaml`), next(index));
  }
  const first = path.join(folder.path, '0.yaml');
  const { unusable } = await namesIn([first], { environment: {} });
  assert.deepEqual(
    unusable.map(({ reason }) => /one of more than 200 files/.test(reason)),
    [true],
  );
  const findings: Finding[] = [];
  const options = { environment: {}, input: async () => '' };
  for await (const one of imagesIn([folder.path], options)) findings.push(one);
  const [told] = findings;
  assert.ok(told?.kind === 'skipped');
  assert.equal(told.file, folder.path);
  assert.match(told.reason, /^folders in it are not looked into: inner; /);
});

test('a file that cannot be read is named', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'none.yaml');
  await assert.rejects(namesIn([file], { environment: {}, signal: NEVER }), {
    name: 'RegistryError',
    code: 'REQUEST_INVALID',
    message: `${file}: there is no such file`,
  });
});

test('whoever ends does not wait until all has been read', async () => {
  await using folder = await temporaryFolder();
  const file = await large(folder.path);
  const ending = new AbortController();
  const reading = namesIn(Array<string>(1000).fill(file), {
    environment: {},
    signal: ending.signal,
  });
  const reason = new Error('it ends');
  setImmediate(() => ending.abort(reason));
  await assert.rejects(reading, reason);
  await assert.rejects(namesIn([file], { environment: {}, signal: ending.signal }), reason);
});

for (const [when, said] of [
  ['answered', 'docker.io/library/a:1'],
  ['ending', 'Error: it ends'],
] as const) {
  test(`a thread that errs ends nothing but itself: ${when}`, async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'pods.yaml');
    await writeFile(file, 'image: "a:1"\n');
    const hook = new URL('../fixtures/erring-thread.ts', import.meta.url).href;
    const script = fileURLToPath(new URL('erring-names-child.ts', import.meta.url));
    const flags = ['--disable-warning=ExperimentalWarning', '--import', hook, script, file];
    const child = spawn(process.execPath, flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ERRS: when, ERRS_AT: path.join(folder.path, 'erred') },
    });
    const exited = once(child, 'exit');
    const [out, errors] = await Promise.all([collect(child.stdout), collect(child.stderr)]);
    assert.deepEqual(await exited, [0, null], errors.toString());
    assert.equal(out.toString(), said);
    await access(path.join(folder.path, 'erred'));
  });
}
