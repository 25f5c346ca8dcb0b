import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { hosting } from './lib/hosting.ts';
import { attempt } from './lib/process.ts';
import { scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';
import { tools } from './lib/tool.ts';

for (const tool of await tools('helm')) {
  test(`${tool.label} pushes and pulls a chart`, { skip: tool.missing ?? false }, async () => {
    assert.ok(tool.missing === undefined);
    await using folder = await scratch();
    await using registry = await hosting(folder);
    const [command, ...first] = tool.command('helm', folder.path);
    const helm = async (...args: string[]): Promise<string> => {
      const env = { HOME: folder.path, XDG_CACHE_HOME: folder.path, XDG_CONFIG_HOME: folder.path };
      const { code, stdout, stderr } = await attempt(command, [...first, ...args], { env });
      assert.equal(code, 0, stdout + stderr);
      // It tells the digest on either.
      return stdout + stderr;
    };
    const digestIn = (said: string): string | undefined =>
      said.match(/Digest: (sha256:[0-9a-f]{64})/)?.[1];

    await mkdir(folder.at('chart/templates'), { recursive: true });
    await mkdir(folder.at('pulled'));
    // A version with +, which no tag may have.
    const chart = 'apiVersion: v2\nname: app\nversion: 1.2.3+build\n';
    await writeFile(folder.at('chart/Chart.yaml'), chart);
    await writeFile(folder.at('chart/templates/a.yaml'), 'name: {{ .Release.Name }}\n');
    await helm('package', folder.at('chart'), '--destination', folder.path);
    const name = 'app-1.2.3+build.tgz';
    const place = `oci://127.0.0.1:${registry.port}/charts`;
    const pushed = digestIn(await helm('push', folder.at(name), place, '--plain-http'));
    const from = [`${place}/app`, '--plain-http'];
    const pull = ['pull', ...from, '--version', '1.2.3+build'];
    const pulled = await helm(...pull, '--destination', folder.at('pulled'));
    assert.ok(pushed !== undefined);
    assert.equal(digestIn(pulled), pushed);
    assert.equal(await sha256(folder.at('pulled', name)), await sha256(folder.at(name)));
    // The newest version is found by listing the tags.
    assert.match(await helm('show', 'chart', ...from), /version: 1\.2\.3\+build/);
  });
}
