import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { CLIENTS, type ClientName } from '../../src/setup/proposal.ts';
import { patient, type Patient } from './patient.ts';

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

suite('each fault is found, and nothing else', () => {
  for (const [what, client, plant, codes] of FAULTS) {
    test(`${client}: ${what}`, async () => {
      await using here = await patient([client]);
      await plant(here);
      assert.deepEqual(await here.findings(client), codes);
    });
  }
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
