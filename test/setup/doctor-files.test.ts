import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENTS, type ClientName } from '../../src/setup/proposal.ts';
import { patient, type Patient } from './patient.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG = '/etc/containerd/config.toml';
const HOSTS = '/etc/containerd/certs.d/quay.io/hosts.toml';
const DAEMON = '/etc/docker/daemon.json';
const PODMAN = '/etc/containers/registries.conf.d/50-layover.conf';
const BUILDKITD = '/etc/buildkit/buildkitd.toml';
const K3S = '/etc/rancher/k3s/registries.yaml';

for (const client of CLIENTS) {
  test(`${client}: nothing is found where setup has been`, async () => {
    await using here = await patient([client]);
    assert.deepEqual(await here.findings(client), []);
  });
}

type Fault = readonly [
  what: string,
  client: ClientName,
  plant: (here: Patient) => Promise<void>,
  codes: readonly string[],
];

const edit =
  (file: string, change: (text: string) => string) =>
  async ({ machine }: Patient): Promise<void> =>
    machine.write(file, change(await machine.text(file)));

const without =
  (file: string) =>
  async ({ machine }: Patient): Promise<void> =>
    rm(path.join(machine.root, file));

const V3 = (rest: string) => async (here: Patient) =>
  here.machine.write(
    CONFIG,
    `version = 3\n[plugins.'io.containerd.cri.v1.images']\n${rest}[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n`,
  );

/** A file of somebody's own, read after ours. */
const theirs =
  (prefix: string, lines: string) =>
  async ({ machine, mirror }: Patient): Promise<void> =>
    machine.write(
      '/etc/containers/registries.conf.d/99.conf',
      `[[registry]]\nprefix = "${prefix}"\n[[registry.mirror]]\n${lines.replace('M', new URL(mirror.url).host)}\n`,
    );

const FAULTS: readonly Fault[] = [
  ['no config_path', 'containerd', edit(CONFIG, () => 'version = 2\n'), ['config-path-unset']],
  ['no configuration', 'containerd', without(CONFIG), ['config-path-unset']],
  [
    'Kubernetes is not served, so its settings do not matter',
    'containerd',
    edit(CONFIG, () => 'version = 2\ndisabled_plugins = ["cri"]\n'),
    [],
  ],
  ['a list of folders, and the transfer service', 'containerd', V3(''), ['transfer-service']],
  [
    'a list of folders, and pulls without the transfer service',
    'containerd',
    V3('use_local_image_pull = true\n'),
    [],
  ],
  [
    'a list of folders, and a setting that rules the transfer service out',
    'containerd',
    V3('max_concurrent_downloads = 5\n'),
    [],
  ],
  [
    'a configuration that does not parse',
    'containerd',
    edit(CONFIG, (text) => `${text}=\n`),
    ['config-unreadable'],
  ],
  ['no hosts.toml', 'containerd', without(HOSTS), ['hosts-missing']],
  [
    'hosts.toml that does not parse',
    'containerd',
    edit(HOSTS, (text) => text.replace('[host', '[[host')),
    ['hosts-invalid'],
  ],
  [
    'a capability that containerd does not know',
    'containerd',
    edit(HOSTS, (text) => text.replace('"resolve"', '"resolve", "fly"')),
    ['hosts-invalid'],
  ],
  [
    'a capability that is missing',
    'containerd',
    edit(HOSTS, (text) => text.replace(', "resolve"', '')),
    ['hosts-invalid'],
  ],
  [
    'another mirror',
    'containerd',
    edit(HOSTS, (text) => text.replace('127.0.0.1', 'elsewhere')),
    ['hosts-elsewhere'],
  ],
  ...(
    [
      ['skip_verify = "yes"', ['hosts-invalid']],
      ['skip_verify = true', []],
      ['dial_timeout = "1"', ['hosts-invalid']],
      ['dial_timeout = "1m30.5s"', []],
      ['override_path = 1', ['hosts-invalid']],
      ['ca = "/nonexistent.pem"', ['hosts-invalid']],
      ['client = [["a.pem", "b.pem"]]', ['hosts-invalid']],
      ['header = { X = 1 }', ['hosts-invalid']],
      ['header = { X = "1", Y = ["2"] }', []],
    ] as const
  ).map(([line, codes]): Fault => [
    line,
    'containerd',
    edit(HOSTS, (text) => text.replace('  capabilities', `  ${line}\n  capabilities`)),
    codes,
  ]),
  ...['true', '"quay.io"'].map((host): Fault => [
    `host = ${host}`,
    'containerd',
    edit(HOSTS, () => `host = ${host}\n`),
    ['hosts-invalid'],
  ]),
  [
    'the mirror as the server alone',
    'containerd',
    (here) => here.machine.write(HOSTS, `server = "${here.mirror.url}/"\n`),
    [],
  ],
  [
    'the registry in the path that is taken as it is',
    'containerd',
    (here) => here.machine.write(HOSTS, `[host."${here.mirror.url}/v2/q"]\noverride_path = true\n`),
    [],
  ],
  [
    'another registry in that path',
    'containerd',
    (here) =>
      here.machine.write(HOSTS, `[host."${here.mirror.url}/v2/docker.io"]\noverride_path = true\n`),
    ['hosts-elsewhere'],
  ],
  ['no mirror', 'docker', edit(DAEMON, () => '{}'), ['mirror-missing']],
  ['daemon.json that is none', 'docker', edit(DAEMON, () => '{ //\n}'), ['config-unreadable']],
  [
    'hosts.toml that does not parse',
    'docker',
    edit('/etc/docker/certs.d/quay.io/hosts.toml', (text) => `${text}]`),
    ['hosts-invalid'],
  ],
  ['no file', 'podman', without(PODMAN), ['mirror-missing']],
  [
    'no name in the path',
    'podman',
    edit(PODMAN, (text) => text.replaceAll(/(location = "127[^/]*)\/[a-z.]*"/g, '$1"')),
    ['no-name-in-path'],
  ],
  [
    'HTTP that is not allowed',
    'podman',
    edit(PODMAN, (text) => text.replaceAll('insecure = true\n', '')),
    ['not-insecure'],
  ],
  [
    'a file that does not parse',
    'podman',
    edit(PODMAN, (text) => `${text}[`),
    ['config-unreadable'],
  ],
  [
    'a later file that takes a registry over',
    'podman',
    (here) =>
      here.machine.write(
        '/etc/containers/registries.conf.d/99.conf',
        '[[registry]]\nprefix = "quay.io"\nlocation = "quay.io"\n',
      ),
    ['mirror-missing'],
  ],
  ...(
    [
      ['plain HTTP that somebody else forgot', 'location = "M/quay.io"', ['not-insecure']],
      [
        'digests alone',
        'location = "M/quay.io"\ninsecure = true\npull-from-mirror = "digest-only"',
        ['mirror-partly'],
      ],
      [
        'tags alone',
        'location = "M/quay.io"\ninsecure = true\npull-from-mirror = "tag-only"',
        ['mirror-partly'],
      ],
      ['all of it by hand', 'location = "M/quay.io"\ninsecure = true', []],
    ] as const
  ).map(([what, lines, codes]): Fault => [what, 'podman', theirs('quay.io', lines), codes]),
  [
    'a prefix with a star',
    'podman',
    async (here) => {
      const [first = ''] = (await here.machine.text(PODMAN)).split(/^(?=.*prefix = "quay)/m);
      await here.machine.write(PODMAN, first.replace(/\[\[registry\]\]\n$/, ''));
      await theirs('*.io', 'location = "M/quay.io"\ninsecure = true')(here);
    },
    [],
  ],
  [
    'both versions in one file',
    'podman',
    edit(PODMAN, (text) => `${text}[registries.search]\nregistries = ["quay.io"]\n`),
    ['config-unreadable'],
  ],
  [
    'no mirror',
    'buildkit',
    edit(BUILDKITD, (text) => text.replace(/mirrors = .*/, '')),
    ['mirror-missing'],
  ],
  [
    'HTTP that is not allowed',
    'buildkit',
    edit(BUILDKITD, (text) => text.replace(/http = true/, '')),
    ['not-insecure'],
  ],
  ['a file that does not parse', 'buildkit', edit(BUILDKITD, () => '['), ['config-unreadable']],
  ['no file', 'k3s', without(K3S), ['mirror-missing']],
  ['a file that does not parse', 'k3s', edit(K3S, () => 'a: ['), ['config-unreadable']],
  [
    'a proxy that the service is given',
    'containerd',
    (here) =>
      here.machine.write(
        '/etc/systemd/system/containerd.service.d/proxy.conf',
        '[Service]\nEnvironment="HTTP_PROXY=http://proxy:3128" NO_PROXY=localhost\n',
      ),
    // Nobody sends the loopback address to a proxy.
    [],
  ],
];

suite('each fault is found, and nothing else; commands that mend it do', () => {
  for (const [what, client, plant, codes] of FAULTS) {
    test(`${client}: ${what}`, async () => {
      await using here = await patient([client]);
      await plant(here);
      const found = await here.told(client);
      assert.deepEqual(
        found.map(({ code }) => code),
        codes,
      );
      for (const { code, mend } of found) {
        if (!(await mended(mend))) continue;
        const left = await here.findings(client);
        assert.ok(!left.includes(code), `${code} is still there after: ${mend}`);
      }
    });
  }
});

/** Does what a finding says, where that begins with a command that needs nothing but files. */
async function mended(mend: string): Promise<boolean> {
  if (!/^(layover setup|mv) /.test(mend)) return false;
  const [line = ''] = mend.split(' #');
  const commands = line.split('; ').filter((one) => /^(layover setup|mv) /.test(one));
  // Never this machine's own files.
  for (const one of commands) assert.ok(one.includes(tmpdir()), one);
  const env = { ...process.env, PATH: `${ROOT}bin:${process.env['PATH']}` };
  await promisify(execFile)('sh', ['-ec', commands.join('\n')], { env });
  return true;
}

test('a command that mends has the options that the doctor was given', async () => {
  await using here = await patient(['containerd']);
  await rm(path.join(here.machine.root, HOSTS));
  const given = { root: "/a root's", ca: 'ca.pem', upstreams: ['quay.io'] };
  const [found] = await here.told('containerd', { given, upstreams: given.upstreams });
  assert.equal(
    found?.mend,
    `layover setup containerd --mirror ${here.mirror.url} --root '/a root'\\''s' --ca ca.pem --upstream quay.io --write`,
  );
});

test('those clients are looked at that are there', async () => {
  await using here = await patient(['docker', 'k3s']);
  await here.machine.write(DAEMON, '{}');
  await here.machine.write(K3S, '{}');
  assert.deepEqual(await here.findings('docker', { client: undefined }), [
    'mirror-missing',
    'mirror-missing',
  ]);
});
