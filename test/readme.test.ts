import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { commandsUnder } from './fixtures/documents.ts';
import { layerOf } from './fixtures/layer-builder.ts';
import { startRegistry } from './fixtures/registry.ts';
import { temporaryFolder } from './fixtures/temporary.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

async function clientLines(): Promise<readonly string[]> {
  const [text = ''] = await commandsUnder('README.md', 'Its client');
  return text.split('\n');
}

test('the lines on the client in README.md do what they say, one after the other', async () => {
  const lines = await clientLines();
  assert.equal(lines.length, 10);
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const base = layerOf([{ name: 'etc/os-release', data: 'ID=alpine\n' }], 'gzip');
  const top = layerOf([{ name: 'etc/nsswitch.conf', data: 'hosts: files\n' }], 'gzip');
  registry.addImage('library/alpine', '3.19', { layers: [base] });
  registry.addImage('library/alpine', '3.20', { layers: [base, top] });
  registry.addImage('podman/hello', 'latest', { layers: [base] });

  const told: string[] = [];
  for (const line of lines) {
    const here = line
      .replaceAll(/127\.0\.0\.1:8080|localhost:5000/g, registry.host)
      .replaceAll(/(?<= )alpine(?=:| *$)/g, `${registry.host}/library/alpine`);
    const { stdout } = await run('sh', ['-c', here], {
      cwd: folder.path,
      env: { PATH: `${ROOT}bin:${process.env['PATH']}`, HOME: folder.path },
    });
    told.push(stdout);
  }

  const [, , tags, , listed, printed, found, different] = told;
  assert.equal(tags, '3.19\n3.20\n');
  assert.match(listed ?? '', /^-r.* \/etc\/nsswitch\.conf$/m);
  assert.equal(printed, 'ID=alpine\n');
  assert.equal(found, '/etc/nsswitch.conf\n');
  assert.match(different ?? '', /nsswitch\.conf/);
  assert.match(told.at(-1) ?? '', new RegExp(registry.host.replaceAll('.', String.raw`\.`)));
});
