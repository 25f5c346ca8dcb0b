import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { certificate } from './lib/certificate.ts';
import { emptyStorage } from './lib/containers-conf.ts';
import { kubernetesContainerd, writeConfig } from './lib/kubernetes-containerd.ts';
import { LAUNCHER } from './lib/layover.ts';
import { noPrivateEtc, privateEtc, type PrivateEtc } from './lib/private-etc.ts';
import { run } from './lib/process.ts';
import { check } from './lib/pulls.ts';
import { sha256 } from './lib/sha256.ts';
import { tools, type Present } from './lib/tool.ts';
import { blobFetches, NAMES, PORT_ALIAS, world, type World } from './lib/world.ts';

/** Every version of a program that is there. */
async function present(
  program: string,
  each: (tool: Present, name: string) => void | Promise<void>,
): Promise<void> {
  for (const tool of await tools(program)) {
    const name = tool.label.replaceAll(/\W/g, '-');
    if (tool.missing === undefined) await each(tool, name);
    else test(tool.label, { skip: tool.missing });
  }
}

for (const [manner, tls] of [
  ['plain HTTP', false],
  ['a certificate of an authority of our own', true],
] as const) {
  suite(`what layover setup writes, with ${manner}`, { skip: noPrivateEtc }, async () => {
    let here: World;
    let podmans = 0;
    before(async () => {
      here = await world(async (scratch) => (tls ? { tls: await certificate(scratch) } : {}));
    });
    after(() => here?.[Symbol.asyncDispose]());

    /** Runs `setup` for a machine of its own; gives what brings it back, and sees that it does. */
    const setUp = async (client: string, etc: PrivateEtc, ...more: string[]) => {
      const copy = here.scratch.at(`before-${client}-${Math.random()}`);
      await run('cp', ['-a', etc.at('.'), copy]);
      const trust = here.authority === undefined ? [] : ['--ca', here.authority.ca];
      const line = ['setup', client, '--mirror', here.layover.url, ...trust, ...more];
      const plan = await etc.run(LAUNCHER, line);
      assert.match(plan, new RegExp(`127\\.0\\.0\\.1:${here.layover.port}`));
      await run('diff', ['-r', '--no-dereference', copy, etc.at('.')]);
      await etc.run(LAUNCHER, [...line, '--write']);
      assert.equal(await etc.run(LAUNCHER, [...line, '--write', '--quiet']), '');
      return async (): Promise<void> => {
        await etc.run(LAUNCHER, ['setup', client, '--undo', '--write']);
        await run('diff', ['-r', '--no-dereference', copy, etc.at('.')]);
        assert.equal((await run('find', [etc.at('.'), '-name', '.layover'])).trim(), '');
      };
    };

    await present('containerd', (tool, name) => {
      test(`${tool.label} pulls through the mirror as Kubernetes has it pull, and by ctr`, async () => {
        const etc = await privateEtc(here.scratch, `${name}-etc`);
        const node = { tool, etc, folder: here.scratch.at(name) };
        await writeConfig(node);
        const undo = await setUp('containerd', etc, '--edit-config');
        {
          await using daemon = await kubernetesContainerd(node);
          for (const image of NAMES) await daemon.pull(image);
          const listed = await daemon.ctr('-n', 'k8s.io', 'image', 'ls');
          for (const image of NAMES) {
            const line = listed.split('\n').find((text) => text.startsWith(`${image} `));
            assert.ok(line?.includes(here.shelf[image].digest), `${image}: ${line}`);
          }
          const byHosts = ['--hosts-dir', '/etc/containerd/certs.d', '--snapshotter', 'native'];
          await daemon.ctr('image', 'pull', ...byHosts, 'quay.io/org/team/app:v1');
        }
        await undo();
      });
    });

    await present('skopeo', (tool, name) => {
      test(`${tool.label} copies through the mirror`, async () => {
        const etc = await privateEtc(here.scratch, `${name}-etc`);
        const undo = await setUp('podman', etc);
        const folder = here.scratch.at(name);
        const copy = await containers(tool, etc, folder, 'skopeo');
        for (const image of NAMES) {
          const out = `${folder}/${image.replaceAll(/\W/g, '-')}`;
          await copy('--insecure-policy', 'copy', `docker://${image}`, `dir:${out}`);
          const digest = await sha256(`${out}/manifest.json`);
          check({ digest }, here.shelf[image]);
        }
        await undo();
      });
    });

    await present('podman', (tool, name) => {
      test(`${tool.label} pulls through the mirror`, async () => {
        const etc = await privateEtc(here.scratch, `${name}-etc`);
        const undo = await setUp('podman', etc);
        // podman has a limit for the length of what lies below.
        const folder = here.scratch.at(`p${(podmans += 1)}`);
        const podman = await containers(tool, etc, folder, 'podman');
        await using storage = await emptyStorage(folder);
        const image = 'quay.io/org/team/app:v1';
        await podman(...storage.options, '--cgroup-manager=cgroupfs', 'pull', '--quiet', image);
        const inspect = ['image', 'inspect', '--format', '{{.Digest}}', image];
        const told = await podman(...storage.options, '--cgroup-manager=cgroupfs', ...inspect);
        assert.equal(told.trim(), here.shelf[image].digest);
        await undo();
      });
    });

    test('each blob came from its upstream once', () => {
      const fetched = blobFetches(here.upstream).map(({ path }) => path);
      assert.ok(fetched.length > 0);
      assert.equal(new Set(fetched).size, fetched.length);
    });

    /** A program of this release by its own `/etc`; a later one, which has another, by what was written into it. */
    async function containers(tool: Present, etc: PrivateEtc, folder: string, program: string) {
      const [command, ...first] = tool.command(program, folder);
      const written = etc.at('containers/registries.conf.d/50-layover.conf');
      const conf = `${folder}/registries.conf`;
      const certificates = `${folder}/certs.d`;
      await mkdir(`${folder}/run`, { recursive: true });
      await run('cp', [written, conf]);
      await mkdir(certificates);
      if (here.authority !== undefined) {
        await run('cp', ['-a', `${etc.at('containers/certs.d')}/.`, certificates]);
      }
      const text = await readFile(conf, 'utf8');
      assert.match(text, new RegExp(`/${PORT_ALIAS}"`));
      const env = {
        HOME: folder,
        XDG_RUNTIME_DIR: `${folder}/run`,
        ...(command === program ? {} : { CONTAINERS_REGISTRIES_CONF: conf }),
      };
      if (command !== program && here.authority !== undefined) {
        // Where the trust of a later release is looked for, besides its own `/etc`.
        await mkdir(`${folder}/.config/containers`, { recursive: true });
        await run('cp', ['-a', certificates, `${folder}/.config/containers/certs.d`]);
      }
      // skopeo takes the file as an option alone.
      const named = program === 'skopeo' ? ['--registries-conf', conf] : [];
      return (...args: string[]): Promise<string> =>
        command === program
          ? etc.run(command, [...first, ...args], env)
          : run(command, [...first, ...named, ...args], { env });
    }
  });
}
