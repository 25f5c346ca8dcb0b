import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';
import { startRegistry } from './fixtures/registry.ts';
import { temporaryFolder } from './fixtures/temporary.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const LOADED = new URL('fixtures/loaded.ts', import.meta.url).href;

interface Loaded {
  readonly printed: string;
  /** Paths below the root of the project. */
  readonly files: readonly string[];
  readonly node: readonly string[];
}

/** What the program has loaded by the time it has done what the line says. */
async function loaded(home: string, ...line: readonly string[]): Promise<Loaded> {
  const flags = ['--disable-warning=ExperimentalWarning', '--import', LOADED, MAIN];
  const child = spawn(process.execPath, [...flags, ...line], {
    env: { PATH: '', HOME: home },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [stdout, stderr, third] = child.stdio.slice(1) as Readable[];
  assert.ok(stdout && stderr && third);
  const [printed, told, report, [status]] = await Promise.all([
    text(stdout),
    text(stderr),
    text(third),
    once(child, 'close'),
  ]);
  assert.equal(status, 0, told);
  return { printed, ...(JSON.parse(report) as Omit<Loaded, 'printed'>) };
}

/** Those that `tags` has no use for, and what would cost it the most. */
const NOT_FOR_TAGS = [
  /^src\/(store\/(?!persistence)|(layer|mirror|hosted|http|config|setup)\/)/,
  /^src\/image\/(archive|cache|copy|files|bundle)\//,
  /^src\/image\/(pull|push|resumed)\.ts$/,
  /^src\/core\/(manifest|descriptor|media-type|range|platform|pour)\.ts$/,
  /^src\/upstream\/(writing|push-\w+|put-manifest|outgoing|upload|fallback-tag|removal|turns)\.ts$/,
  /^src\/upstream\/(reading|blobs|blob-body|manifests|cache-status|referrers|catalog|trace|everything)\.ts$/,
  /^src\/upstream\/(auth|challenge|token|credentials|docker-config|credential-helper)\.ts$/,
  /^src\/upstream\/(refusal|write-refusal|error-body|retry-after)\.ts$/,
  /^src\/cli\/(lines|browse|serve|pull|push|progress|platform)\.ts$/,
  /^node_modules\/(zod|yaml|lru-cache|pino|hono|@hono|prom-client)\//,
  /^node_modules\/undici\/(index\.js|lib\/dispatcher\/client-h2\.js|lib\/web\/)/,
];

test('a list of tags loads what it needs: nothing of content, pushes, stores, archives, logins and TLS', async () => {
  await using upstream = await startRegistry();
  await using home = await temporaryFolder();
  upstream.addImage('team/app', 'v1');
  const { printed, files, node } = await loaded(home.path, 'tags', `${upstream.host}/team/app`);
  assert.equal(printed, 'v1\n');
  const asked = upstream.requests.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(asked, ['GET /v2/', 'GET /v2/team/app/tags/list?n=1000']);
  assert.equal(upstream.connections, 1);
  assert.ok(files.includes('src/upstream/tags.ts'));
  for (const unneeded of NOT_FOR_TAGS) {
    assert.deepEqual(
      files.filter((file) => unneeded.test(file)),
      [],
    );
  }
  for (const unneeded of ['tls', 'https', 'http2', 'crypto', 'readline', 'zlib', 'sqlite']) {
    assert.ok(!node.includes(unneeded), unneeded);
  }
  const own = files.filter((file) => file.startsWith('src/'));
  assert.ok(own.length <= 59, `${own.length} files of its own: ${own.join(' ')}`);
});

test('the version loads one file and none of the streams that it does not write to', async () => {
  await using home = await temporaryFolder();
  const { printed, files, node } = await loaded(home.path, '--version');
  assert.match(printed, /^layover \d/);
  assert.deepEqual(files, ['src/main.ts']);
  for (const unneeded of ['child_process', 'tty', 'http', 'crypto', 'readline']) {
    assert.ok(!node.includes(unneeded), unneeded);
  }
});

test('help loads no verb, and nothing that reaches a registry', async () => {
  await using home = await temporaryFolder();
  const { printed, files } = await loaded(home.path, '--help');
  assert.match(printed, /Usage: layover/);
  for (const file of files)
    assert.doesNotMatch(file, /^src\/(image|upstream|compose|store|config)\//);
  assert.ok(!files.includes('src/cli/tags.ts'));
});
