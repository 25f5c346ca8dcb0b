import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, suite, test, type TestContext } from 'node:test';
import { certificate } from './lib/certificate.ts';
import {
  kubernetesContainerd,
  writeConfig,
  type KubernetesContainerd,
  type Node,
} from './lib/kubernetes-containerd.ts';
import { LAUNCHER } from './lib/layover.ts';
import { noPrivateEtc, privateEtc, type PrivateEtc } from './lib/private-etc.ts';
import { attempt, run } from './lib/process.ts';
import { noTmpfs, tmpfs } from './lib/tmpfs.ts';
import { tools } from './lib/tool.ts';
import { world, type World } from './lib/world.ts';

/** Two are enough to be told apart. */
const ASKED = ['--upstream', 'docker.io', '--upstream', 'quay.io'];
const HOSTS = 'containerd/certs.d/quay.io/hosts.toml';
const CONFIG = 'containerd/config.toml';

suite('layover doctor', { skip: noPrivateEtc }, async () => {
  let here: World;
  before(async () => {
    here = await world();
  });
  after(() => here?.[Symbol.asyncDispose]());

  /** What the doctor finds on a machine; its exit code has to say the same. */
  const doctor = async (
    { etc, path }: { readonly etc: PrivateEtc; readonly path?: string },
    client: string,
    ...more: readonly string[]
  ): Promise<readonly string[]> => {
    const line = ['doctor', '--mirror', here.layover.url, '--client', client, ...ASKED, '--json'];
    const [command, ...args] = etc.command(LAUNCHER, [...line, ...more]);
    const env = path === undefined ? {} : { PATH: path };
    const { stdout, code } = await attempt(command, args, { env });
    const { checks } = JSON.parse(stdout) as {
      checks: { findings: { code: string; severity: string }[] }[];
    };
    const findings = checks.flatMap(({ findings }) => findings);
    assert.equal(code, findings.some(({ severity }) => severity === 'fault') ? 1 : 0);
    return findings.map(({ code }) => code);
  };

  const setUp = async (etc: PrivateEtc, client: string, ...more: readonly string[]) =>
    etc.run(LAUNCHER, ['setup', client, '--mirror', here.layover.url, '--write', ...more]);

  const change = async (file: string, alter: (text: string) => string): Promise<void> =>
    writeFile(file, alter(await readFile(file, 'utf8')));

  for (const tool of await tools('containerd')) {
    if (tool.missing !== undefined) {
      test(tool.label, { skip: tool.missing });
      continue;
    }
    test(`${tool.label}, as Kubernetes has it pull`, async (t) => {
      const name = tool.label.replaceAll(/\W/g, '-');
      const etc = await privateEtc(here.scratch, `doctor-${name}`);
      const node: Node = { tool, etc, folder: here.scratch.at(`d-${name}`) };
      const looked = (daemon: KubernetesContainerd): Promise<readonly string[]> =>
        doctor({ etc, path: tool.path }, 'containerd', '--socket', daemon.socket);
      const restarted = async (): Promise<readonly string[]> => {
        await using daemon = await kubernetesContainerd(node);
        return await looked(daemon);
      };
      const configured = async (t: TestContext, what: string, rest: string, found: string[]) =>
        t.test(what, async () => {
          await writeConfig(node, rest);
          assert.deepEqual(await restarted(), found);
        });
      const version =
        tool.major === 1 ? 'io.containerd.grpc.v1.cri' : 'io.containerd.cri.v1.images';
      const paths = (value: string, more = ''): string =>
        `${more}[plugins."${version}".registry]\n  config_path = "${value}"\n`;

      await writeConfig(node);
      await setUp(etc, 'containerd', '--edit-config');
      {
        await using daemon = await kubernetesContainerd(node);
        const file = etc.at(HOSTS);
        const whole = await readFile(file, 'utf8');
        await t.test('all is well', async () => assert.deepEqual(await looked(daemon), []));
        await t.test('a hosts.toml that does not parse', async () => {
          await change(file, (text) => text.replace('[host', '[[host'));
          assert.deepEqual(await looked(daemon), ['hosts-invalid', 'pull-not-arrived']);
        });
        await t.test('a capability that containerd does not know', async () => {
          await writeFile(file, whole.replace('"resolve"', '"resolve", "fly"'));
          assert.deepEqual(await looked(daemon), ['hosts-invalid', 'pull-not-arrived']);
        });
        await t.test('no hosts.toml', async () => {
          await rm(file);
          assert.deepEqual(await looked(daemon), ['hosts-missing', 'pull-not-arrived']);
          await writeFile(file, whole);
        });
      }
      await configured(t, 'no config_path', '', ['config-path-unset', 'pull-not-arrived']);
      const list = paths('/etc/containerd/certs.d:/etc/docker/certs.d');
      await configured(
        t,
        'a list of folders, which the transfer service does not understand',
        list,
        tool.major === 1 ? [] : ['transfer-service', 'pull-not-arrived'],
      );
      await t.test('which setup puts right', async () => {
        await setUp(etc, 'containerd', '--edit-config');
        assert.deepEqual(await restarted(), []);
        assert.match(await readFile(etc.at(CONFIG), 'utf8'), /"\/etc\/containerd\/certs\.d"/);
      });
    });
  }

  test('without Kubernetes, by ctr', async () => {
    const [tool] = await tools('containerd');
    assert.ok(tool?.missing === undefined && tool !== undefined);
    const etc = await privateEtc(here.scratch, 'doctor-ctr');
    const node: Node = { tool, etc, folder: here.scratch.at('d-ctr') };
    await writeConfig(node, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]');
    // A key of the file, not of its last table.
    await change(etc.at(CONFIG), (text) => {
      const [line = ''] = /^disabled_plugins.*$/m.exec(text) ?? [];
      return `${line}\n${text.replace(line, '')}`;
    });
    await setUp(etc, 'containerd');
    await using daemon = await kubernetesContainerd(node);
    assert.deepEqual(await doctor({ etc }, 'containerd', '--socket', daemon.socket), []);
    await rm(etc.at(HOSTS));
    assert.deepEqual(await doctor({ etc }, 'containerd', '--socket', daemon.socket), [
      'hosts-missing',
      'pull-not-arrived',
    ]);
  });

  test('skopeo and the files that it shares with podman', async (t) => {
    const etc = await privateEtc(here.scratch, 'doctor-podman');
    await setUp(etc, 'podman');
    const file = etc.at('containers/registries.conf.d/50-layover.conf');
    const whole = await readFile(file, 'utf8');
    for (const [what, text, found] of [
      ['all is well', whole, []],
      [
        'no name of a registry in the path',
        whole.replaceAll(/(location = "127[^/]*)\/[a-z.]*"/g, '$1"'),
        ['no-name-in-path', 'wrong-namespace'],
      ],
      [
        'plain HTTP that is not allowed',
        whole.replaceAll('insecure = true\n', ''),
        ['not-insecure', 'pull-not-arrived'],
      ],
      ['a file that does not parse', `${whole}[`, ['config-unreadable', 'pull-not-arrived']],
      ['no mirror', '', ['mirror-missing', 'pull-not-arrived']],
    ] as const) {
      await t.test(what, async () => {
        await writeFile(file, text);
        assert.deepEqual(await doctor({ etc }, 'podman'), found);
      });
    }
  });

  test('an authority that containerd has not been told of', async () => {
    const [tool] = await tools('containerd');
    assert.ok(tool?.missing === undefined && tool !== undefined);
    await using secure = await world(async (scratch) => ({ tls: await certificate(scratch) }));
    assert.ok(secure.authority !== undefined);
    const { ca } = secure.authority;
    const etc = await privateEtc(here.scratch, 'doctor-tls');
    const node: Node = { tool, etc, folder: here.scratch.at('d-tls') };
    await writeConfig(node);
    const mirror = ['--mirror', secure.layover.url];
    const set = ['setup', 'containerd', ...mirror, ...ASKED, '--edit-config', '--write'];
    await etc.run(LAUNCHER, set);
    await using daemon = await kubernetesContainerd(node);
    const looked = () =>
      doctor({ etc }, 'containerd', ...mirror, '--ca', ca, '--socket', daemon.socket);
    // The suite's certificates are made for two days.
    const soon = 'certificate-expires';
    assert.deepEqual(await looked(), [soon, 'authority-missing', 'pull-not-arrived']);
    await etc.run(LAUNCHER, [...set, '--ca', ca]);
    assert.deepEqual(await looked(), [soon]);
  });

  test('a disk that cannot be written', { skip: noTmpfs }, async () => {
    const etc = await privateEtc(here.scratch, 'doctor-disk');
    await using disk = await tmpfs(here.scratch, 'small', 'size=4m');
    const config = here.scratch.at('disk.yaml');
    const settings = {
      listen: `127.0.0.1:${here.layover.port}`,
      offline: true,
      storage: { path: disk.path, maxSize: '1MiB', minFree: '1MiB' },
    };
    await writeFile(config, JSON.stringify(settings));
    const looked = () => doctor({ etc }, 'buildkit', '--config', config);
    const unset = ['mirror-missing', 'not-insecure', 'nothing-pulled'];
    assert.deepEqual(await looked(), unset);
    await run('mount', ['-o', 'remount,ro', disk.path]);
    assert.deepEqual(await looked(), ['disk-read-only', ...unset]);
  });
});
