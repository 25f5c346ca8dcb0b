import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { commandIn } from './lib/command.ts';
import { emptyStorage, plainConf } from './lib/containers-conf.ts';
import { noise } from './lib/image.ts';
import { run } from './lib/process.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch } from './lib/scratch.ts';
import { sha256 } from './lib/sha256.ts';
import { tools, type Present } from './lib/tool.ts';

const MiB = 1024 * 1024;

/**
 * An image of two layers, as buildah builds and compresses them: the second alters a file, deletes
 * another, and links to a third.
 */
async function build(
  tool: Present,
  folder: string,
  to: string,
  compression: string,
): Promise<void> {
  const env = await plainConf(folder);
  await using storage = await emptyStorage(folder);
  const [command, ...first] = tool.command('buildah', folder);
  const buildah = async (...args: string[]): Promise<string> =>
    (await run(command, [...first, ...storage.options, ...args], { env })).trim();
  const context = join(folder, 'context');
  await mkdir(join(context, 'etc'), { recursive: true });
  await writeFile(join(context, 'etc/kept'), 'from the base\n');
  await writeFile(join(context, 'etc/altered'), 'old\n');
  await writeFile(join(context, 'etc/deleted'), 'gone\n');
  await writeFile(join(context, 'large'), noise(6 * MiB, 'carved'));
  const base = await buildah('from', 'scratch');
  await buildah('copy', '--quiet', base, context, '/');
  const id = await buildah('commit', '--quiet', base);
  const top = await buildah('from', '--pull-never', id);
  const root = await buildah('mount', top);
  // Of another size: whatever takes the difference may look at that and at seconds alone.
  await writeFile(join(root, 'etc/altered'), 'altered later\n');
  await rm(join(root, 'etc/deleted'));
  await run('ln', ['-s', '../large', join(root, 'etc/link')]);
  await buildah('umount', top);
  const whole = await buildah('commit', '--quiet', top);
  const push = ['push', '--quiet', '--tls-verify=false', `--compression-format=${compression}`];
  await buildah(...push, '--format=oci', whole, `docker://${to}`);
}

suite('files out of images that buildah built', () => {
  for (const compression of ['gzip', 'zstd']) {
    test(`${compression}, every version`, async (t) => {
      for (const tool of await tools('buildah')) {
        await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
          assert.ok(tool.missing === undefined);
          await using folder = await scratch();
          await using registry = await dockerRegistry(folder, { name: 'built' });
          const reference = `127.0.0.1:${registry.port}/built/app:v1`;
          await build(tool, folder.path, reference, compression);
          const ours = commandIn(folder.path);
          const manifest = await ours.run('layover', 'manifest', reference);
          assert.match(manifest, new RegExp(`tar\\+${compression}`));
          const cat = (...args: string[]): Promise<string> =>
            ours.run('layover', 'cat', '-q', '--no-cache', reference, ...args);
          assert.equal(await cat('/etc/kept'), 'from the base\n');
          assert.equal(await cat('/etc/altered'), 'altered later\n');
          assert.equal(await cat('/etc/altered', '--layer', '0'), 'old\n');
          await assert.rejects(cat('/etc/deleted'));
          assert.equal(await cat('/etc/deleted', '--layer', '0'), 'gone\n');
          const listed = await ours.run('layover', 'ls', '-q', reference, '/etc');
          const names = listed
            .trim()
            .split('\n')
            .map((line) => line.replace(/^.*\//, ''));
          assert.deepEqual(names.toSorted(), ['altered', 'kept', 'link']);
          await ours.run('layover', 'get', '-q', '-o', 'got', reference, '/large');
          assert.equal(await sha256(folder.at('got')), await sha256(folder.at('context/large')));
        });
      }
    });
  }
});
