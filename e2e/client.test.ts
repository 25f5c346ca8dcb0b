import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandIn, type Command } from './lib/command.ts';
import { emptyStorage, plainConf } from './lib/containers-conf.ts';
import { forThisHost } from './lib/image.ts';
import { run } from './lib/process.ts';
import { dockerRegistry, type Registry } from './lib/registry.ts';
import { sha256 } from './lib/sha256.ts';
import { tools, type Present } from './lib/tool.ts';
import { parts, world, type Name, type World } from './lib/world.ts';

const NAMES: readonly Name[] = ['docker.io/library/hello:v1', 'quay.io/org/team/app:v1'];

let folders = 0;

/** A folder of its own for one step. Its name is short: podman wants no more than 50 characters. */
async function folderOf({ scratch }: World): Promise<string> {
  folders += 1;
  const folder = scratch.at(`f${folders}`);
  await mkdir(folder);
  return folder;
}

/** skopeo as it reads archives, layouts and registries without any settings of this machine. */
async function skopeoIn(
  tool: Present,
  folder: string,
): Promise<(...args: string[]) => Promise<string>> {
  const env = await plainConf(folder);
  const [command, ...first] = tool.command('skopeo', folder);
  const options = ['--insecure-policy', '--tmpdir', folder];
  return (...args) => run(command, [...first, ...options, ...args], { env });
}

suite('what the client saves', () => {
  let here: World;
  let back: Registry;
  before(async () => {
    here = await world();
    back = await dockerRegistry(here.scratch, { name: 'back' });
  });
  after(async () => {
    await back?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  });

  /** Through the mirror, in the way of each program. */
  async function saved(name: Name, folder: string, format: string): Promise<string> {
    const { host, repository, tag } = parts(name);
    const file = join(folder, format === 'oci' ? 'saved' : 'saved.tar');
    const reference = `localhost:${here.layover.port}/${repository}:${tag}`;
    const ours: Command = commandIn(folder);
    if (format === 'imgpull') await ours.run('imgpull', reference, file, '--ns', host);
    else
      await ours.run(
        'layover',
        'pull',
        '-q',
        '--format',
        format,
        '-o',
        file,
        '--ns',
        host,
        reference,
      );
    return file;
  }

  test('imgpull through the mirror, podman load of the result, every version', async (t) => {
    for (const tool of await tools('podman')) {
      await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
        assert.ok(tool.missing === undefined);
        for (const name of NAMES) {
          const folder = await folderOf(here);
          const file = await saved(name, folder, 'imgpull');
          const env = await plainConf(folder);
          await mkdir(join(folder, 'run'), { recursive: true });
          await using storage = await emptyStorage(folder);
          const [command, ...first] = tool.command('podman', folder);
          const podman = (...args: string[]): Promise<string> =>
            run(command, [...first, ...storage.options, '--cgroup-manager=cgroupfs', ...args], {
              env,
            });
          const loaded = await podman('load', '--quiet', '--input', file);
          const called = /Loaded image(?:\(s\))?: *(\S+)/.exec(loaded)?.[1] ?? '';
          assert.equal(called, name);
          const printed = await podman('run', '--rm', '--network=host', called);
          assert.equal(printed, here.shelf[name].message);
        }
      });
    }
  });

  for (const format of ['imgpull', 'docker', 'oci', 'oci-archive']) {
    const transport = format === 'imgpull' || format === 'docker' ? 'docker-archive' : format;
    test(`${format}: skopeo, every version, reads every byte of it`, async (t) => {
      for (const tool of await tools('skopeo')) {
        await t.test(tool.label, { skip: tool.missing ?? false }, async () => {
          assert.ok(tool.missing === undefined);
          for (const name of NAMES) {
            const folder = await folderOf(here);
            const place = `${transport}:${await saved(name, folder, format)}`;
            const skopeo = await skopeoIn(tool, folder);
            const original = forThisHost(here.shelf[name]);
            const [config] = original.blobs;
            assert.ok(config !== undefined);
            assert.equal(
              await skopeo('inspect', '--config', '--raw', place),
              Buffer.from(config.bytes).toString(),
            );
            // It compares each layer with what the config says it is.
            await skopeo('copy', place, `dir:${join(folder, 'copied')}`);
            if (transport !== 'docker-archive') {
              assert.equal(await sha256(join(folder, 'copied', 'manifest.json')), original.digest);
            }
          }
        });
      }
    });

    test(`${format}: pushed to docker-registry and back, the digests are the same`, async () => {
      for (const name of NAMES) {
        const folder = await folderOf(here);
        const file = await saved(name, folder, format);
        const ours = commandIn(folder);
        const reference = `127.0.0.1:${back.port}/${format}/${parts(name).repository}:v1`;
        await ours.run('layover', 'push', file, reference);
        const pushed = (await ours.run('layover', 'digest', reference)).trim();
        if (transport !== 'docker-archive') {
          assert.equal(pushed, forThisHost(here.shelf[name]).digest);
        }
        const again = join(folder, 'again.tar');
        await ours.run('layover', 'pull', '-q', '--no-cache', '-o', again, reference);
        await ours.run('layover', 'push', '-q', again, `${reference}-again`);
        assert.equal((await ours.run('layover', 'digest', `${reference}-again`)).trim(), pushed);
      }
    });
  }
});
