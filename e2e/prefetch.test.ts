import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandsUnder } from '../test/fixtures/documents.ts';
import { containerd } from './clients/containerd.ts';
import { skopeo } from './clients/skopeo.ts';
import { image } from './lib/image.ts';
import { LAUNCHER } from './lib/layover.ts';
import { attempt } from './lib/process.ts';
import { check } from './lib/pulls.ts';
import { push } from './lib/push.ts';
import type { Scratch } from './lib/scratch.ts';
import { tools, type Present } from './lib/tool.ts';
import { NAMES, world, type World } from './lib/world.ts';

const DEPLOYMENT = `apiVersion: v1
kind: List
items:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: { name: web }
    spec:
      selector: { matchLabels: { app: web } }
      template:
        metadata: { labels: { app: web } }
        spec:
          initContainers: [{ name: init, image: hello:v1 }]
          containers: [{ name: web, image: "docker.io/library/hello:v1" }]
`;

const COMPOSE = `services:
  app: { image: "quay.io/org/team/app:\${APP_TAG:-v1}" }
  own: { build: . }
`;

const TEMPLATE = `apiVersion: v1
kind: Pod
metadata: { name: {{ .Release.Name }} }
spec:
  containers:
    - name: large
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
`;

/** What `helm template` makes of a chart with one pod. */
async function rendered(tool: Present, folder: Scratch): Promise<string> {
  await mkdir(folder.at('chart/templates'), { recursive: true });
  await writeFile(
    folder.at('chart/Chart.yaml'),
    'apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: v1\n',
  );
  await writeFile(
    folder.at('chart/values.yaml'),
    'image: { repository: ghcr.io/org/large, tag: "" }\n',
  );
  await writeFile(folder.at('chart/templates/pod.yaml'), TEMPLATE);
  const [command, ...first] = tool.command('helm', folder.path);
  const env = { HOME: folder.path, XDG_CACHE_HOME: folder.path, XDG_CONFIG_HOME: folder.path };
  const line = [...first, 'template', 'release', folder.at('chart')];
  const { code, stdout, stderr } = await attempt(command, line, { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /# Source: app\/templates\/pod\.yaml/);
  return stdout;
}

const [helm] = await tools('helm');
assert.ok(helm !== undefined);
const skip = helm.missing ?? false;

suite('what manifests, a compose file, a chart and a list name is prefetched', { skip }, () => {
  let here: World | undefined;
  before(async () => {
    assert.ok(helm.missing === undefined);
    here = await world();
    const { scratch } = here;
    await mkdir(scratch.at('deploy'));
    await writeFile(scratch.at('deploy/web.yaml'), DEPLOYMENT);
    await writeFile(scratch.at('compose.yaml'), COMPOSE);
    await writeFile(scratch.at('rendered.yaml'), await rendered(helm, scratch));
    for (const [name, tag] of [
      ['nginx', '1.27'],
      ['redis', '7.2'],
      ['redis', '7.4'],
    ] as const) {
      await push(here.upstream.url, `library/${name}`, tag, image({ message: `${name} ${tag}\n` }));
    }
    await writeFile(scratch.at('images.txt'), '# by name\nlocalhost:5555/app:v1 # with a port\n');
  });
  after(() => here?.[Symbol.asyncDispose]());

  test('by the commands of docs/prefetch.md', async () => {
    assert.ok(here !== undefined && helm.missing === undefined);
    const { scratch } = here;
    const [commands = ''] = await commandsUnder('docs/prefetch.md', 'By hand');
    const PATH = [path.dirname(LAUNCHER), helm.path, process.env['PATH']].join(':');
    const env = { PATH, LAYOVER_CONFIG: scratch.at('mirror.yaml'), HOME: scratch.path };
    const { code, stdout, stderr } = await attempt('sh', ['-euc', commands], {
      cwd: scratch.path,
      env,
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /redis:7\.\*: 2 of 2 tags/);
    assert.match(stderr, /3 images: fetched/);
    assert.match(stdout, /"type":"summary","complete":1/);
  });

  test('into a server that runs; then the upstream ends', async () => {
    assert.ok(here !== undefined);
    const { scratch, upstream } = here;
    const files = ['deploy', 'compose.yaml', 'rendered.yaml', 'images.txt'];
    const from = files.flatMap((file) => ['--from', scratch.at(file)]);
    const line = ['prefetch', '--config', scratch.at('mirror.yaml'), ...from];
    const { code, stderr } = await attempt(LAUNCHER, line);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /services\.own: passed over: it is built/);
    assert.match(stderr, /4 images: fetched/);
    const again = await attempt(LAUNCHER, line);
    assert.match(again.stderr, /4 images: fetched 0 blobs/);
    await upstream.process.stop('SIGKILL');
  });

  for (const [program, make] of [
    ['skopeo', skopeo],
    ['containerd', containerd],
  ] as const) {
    test(`${program} pulls all of it, and nothing is fetched for that`, async (t) => {
      assert.ok(here !== undefined);
      const fetched = here.blobFetches().length;
      for (const tool of await tools(program)) {
        if (tool.missing !== undefined) {
          t.diagnostic(`${tool.label}: ${tool.missing}`);
          continue;
        }
        const folder = here.scratch.at(tool.label.replaceAll(/\W/g, '-'));
        await mkdir(folder);
        const client = await make({ tool, world: here, folder });
        for (const name of NAMES) check(await client(name), here.shelf[name]);
      }
      assert.equal(here.blobFetches().length, fetched);
    });
  }
});
