import assert from 'node:assert/strict';
import { chmod, chown, mkdir, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { CLIENTS } from '../../src/setup/proposal.ts';
import { machine, type Machine } from './world.ts';

const CA = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const DAEMON = '/etc/docker/daemon.json';

/** What a machine may have had before, for each client. */
async function lived(here: Machine): Promise<void> {
  await here.write('/etc/containerd/config.toml', 'version = 2\n# mine\n');
  await here.write(
    '/etc/containerd/certs.d/quay.io/hosts.toml',
    'server = "https://quay.io"\n[host."http://a"]\n',
  );
  await here.write(
    DAEMON,
    '{\n    "log-level": "warn",\n    "registry-mirrors": ["http://a"]\n}\n',
  );
  await here.write('/etc/containers/registries.conf', 'unqualified-search-registries = ["a"]\n');
  await here.write(
    '/etc/buildkit/buildkitd.toml',
    'debug = true\n[registry."docker.io"]\n  mirrors = ["a:1"] # mine\n[registry."quay.io"]\n  ca = ["q"]\n',
  );
  await here.write(
    '/etc/rancher/k3s/registries.yaml',
    '# mine\nmirrors:\n  quay.io: # q\n    endpoint:\n      - http://a\n  docker.io:\n',
  );
}

for (const client of CLIENTS) {
  suite(client, () => {
    for (const [state, prepare] of [
      ['with nothing there', async () => {}],
      ['with files that somebody wrote', lived],
    ] as const) {
      test(`${state}: a plan changes nothing, a second run changes nothing, undo brings all back`, async () => {
        await using here = await machine();
        await prepare(here);
        const before = await here.files();
        const options = { ca: CA, mirror: 'https://mirror.lan:8443', ownConfig: 'edit' } as const;

        const plan = await here.setUp(client, 'plan', options);
        assert.deepEqual(await here.files(), before);
        assert.ok(plan.changes.length > 0);
        assert.deepEqual(plan.refused, []);

        assert.deepEqual(await here.setUp(client, 'write', options), plan);
        const after = await here.files();
        for (const { path: name, diff } of plan.changes) {
          assert.match(diff, /mirror\.lan:8443|BEGIN CERTIFICATE|certs\.d/, name);
        }
        const again = await here.setUp(client, 'write', options);
        assert.deepEqual(again.changes, []);
        assert.ok(again.unchanged.length > 0);
        assert.deepEqual(await here.files(), after);

        await here.undo(client, 'plan');
        assert.deepEqual(await here.files(), after);
        const undone = await here.undo(client, 'write');
        assert.equal(undone.changes.length, plan.changes.length);
        assert.deepEqual(await here.files(), before);
        assert.deepEqual((await here.undo(client, 'write')).changes, []);
      });
    }
  });
}

test('two runs for different mirrors are undone as one', async () => {
  await using here = await machine();
  await lived(here);
  const before = await here.files();
  await here.setUp('containerd', 'write');
  await here.setUp('containerd', 'write', { mirror: 'http://10.0.0.6:8080' });
  assert.match(await here.text('/etc/containerd/certs.d/quay.io/hosts.toml'), /0\.6:8080/);
  await here.undo('containerd', 'write');
  assert.deepEqual(await here.files(), before);
});

test('mode and owner stay, and are brought back', { skip: process.getuid?.() !== 0 }, async () => {
  await using here = await machine();
  await lived(here);
  const place = path.join(here.root, DAEMON);
  await chmod(place, 0o640);
  await chown(place, 1234, 4321);
  const state = async () => {
    const { mode, uid, gid } = await stat(place);
    return [mode & 0o777, uid, gid];
  };
  await here.setUp('docker', 'write');
  assert.deepEqual(await state(), [0o640, 1234, 4321]);
  await chmod(place, 0o600);
  await here.undo('docker', 'write');
  assert.deepEqual(await state(), [0o640, 1234, 4321]);
});

test('what somebody changed since is not undone, unless it may be lost', async () => {
  await using here = await machine();
  await lived(here);
  const before = await here.files();
  await here.setUp('docker', 'write');
  await here.write(DAEMON, '{ "mine": true }\n');
  const refused = await here.undo('docker', 'write');
  assert.deepEqual(
    refused.refused.map(({ path }) => path),
    [DAEMON],
  );
  assert.match(refused.refused[0]?.reason ?? '', /changed it since/);
  assert.equal(await here.text(DAEMON), '{ "mine": true }\n');
  const forced = await here.undo('docker', 'write', 'lose');
  assert.deepEqual(forced.refused, []);
  assert.deepEqual(await here.files(), before);
});

test('what somebody changed between two runs is not lost either', async () => {
  await using here = await machine();
  await lived(here);
  await here.setUp('docker', 'write');
  await here.write(DAEMON, '{ "mine": true }\n');
  await here.setUp('docker', 'write');
  const { refused } = await here.undo('docker', 'write');
  assert.match(refused[0]?.reason ?? '', /between two runs/);
  assert.match(await here.text(DAEMON), /mine/);
});

test('a file that was removed since is not brought back against whoever removed it', async () => {
  await using here = await machine();
  await lived(here);
  await here.setUp('docker', 'write');
  await rm(path.join(here.root, DAEMON));
  const { refused } = await here.undo('docker', 'write');
  assert.match(refused[0]?.reason ?? '', /removed/);
});

test('what was undone by hand is forgotten', async () => {
  await using here = await machine();
  await lived(here);
  const before = await here.files();
  const text = await here.text(DAEMON);
  await here.setUp('docker', 'write');
  await here.write(DAEMON, text);
  assert.deepEqual((await here.undo('docker', 'write')).refused, []);
  assert.deepEqual(await here.files(), before);
});

test('a back-up that is damaged is told, and nothing is overwritten with it', async () => {
  await using here = await machine();
  await lived(here);
  await here.setUp('docker', 'write');
  const names = Object.keys(await here.files());
  const copy = names.find((name) => /\.layover\/[0-9a-f]{64}$/.test(name));
  assert.ok(copy !== undefined);
  await here.write(copy, 'something else');
  await assert.rejects(here.undo('docker', 'write'), /is not what it was/);
  assert.match(await here.text(DAEMON), /10\.0\.0\.5/);
});

test('a link that leads out of the folder is not followed, one inside of it is', async () => {
  await using here = await machine();
  await using outside = await machine();
  await outside.write('/daemon.json', '{}\n');
  await mkdir(path.join(here.root, 'etc/docker'), { recursive: true });
  await symlink(path.join(outside.root, 'daemon.json'), path.join(here.root, DAEMON));
  const { refused, changes } = await here.setUp('docker', 'write');
  assert.match(refused[0]?.reason ?? '', /link that leads out/);
  assert.ok(changes.length > 0);
  assert.equal(await outside.text('/daemon.json'), '{}\n');

  await rm(path.join(here.root, DAEMON));
  await here.write('/etc/docker/real.json', '{}\n');
  await symlink('real.json', path.join(here.root, DAEMON));
  await here.setUp('docker', 'write');
  assert.match(await here.text('/etc/docker/real.json'), /10\.0\.0\.5/);
});

suite('containerd', () => {
  const CONFIG = '/etc/containerd/config.toml';
  const EDIT = { ownConfig: 'edit' } as const;

  test('hosts.toml goes where config_path says, and only one folder will do', async () => {
    await using here = await machine();
    const set = (value: string): string =>
      `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = '${value}' # here\n`;
    await here.write(CONFIG, set('/etc/certs.d'));
    const { changes, notes } = await here.setUp('containerd', 'plan', EDIT);
    assert.ok(changes.every(({ path }) => path.startsWith('/etc/certs.d/')));
    assert.doesNotMatch(notes.join('\n'), /config_path/);
    await here.write(CONFIG, set('/etc/certs.d:/etc/docker/certs.d'));
    await here.setUp('containerd', 'write', EDIT);
    assert.equal(await here.text(CONFIG), set('/etc/certs.d').replace(/'(.*)'/, '"$1"'));
  });

  for (const [what, before, after] of [
    [
      'version 2 with the table',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n[a]\n',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n[a]\n',
    ],
    [
      'version 3 without it',
      'version = 3\nroot = "/x"',
      'version = 3\nroot = "/x"\n\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/etc/containerd/certs.d"\n',
    ],
    [
      'version 1',
      '[plugins.cri]\n',
      '[plugins.cri]\n\n[plugins."cri".registry]\n  config_path = "/etc/containerd/certs.d"\n',
    ],
  ] as const) {
    test(`config_path is added to ${what}`, async () => {
      await using here = await machine();
      await here.write(CONFIG, before);
      await here.setUp('containerd', 'write', EDIT);
      assert.equal(await here.text(CONFIG), after);
    });
  }

  test('a configuration with the old mirrors is left alone: containerd would not start', async () => {
    await using here = await machine();
    await here.write(
      CONFIG,
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["http://a"]\n',
    );
    const { refused } = await here.setUp('containerd', 'write', EDIT);
    assert.match(refused[0]?.reason ?? '', /does not start/);
  });

  test('what a configuration imports counts', async () => {
    await using here = await machine();
    await here.write(CONFIG, 'version = 2\nimports = ["conf.d/*.toml"]\n');
    await here.write(
      '/etc/containerd/conf.d/a.toml',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/elsewhere"\n',
    );
    const { changes } = await here.setUp('containerd', 'plan', EDIT);
    assert.ok(changes.every(({ path }) => path.startsWith('/etc/elsewhere/')));
  });
});

suite('podman', () => {
  test('a registry with a port goes by its alias', async () => {
    await using here = await machine();
    await here.setUp('podman', 'write');
    const text = await here.text('/etc/containers/registries.conf.d/50-layover.conf');
    assert.match(
      text,
      /prefix = "registry\.lan:5000"\nlocation = "registry\.lan:5000"\n\[\[registry\.mirror\]\]\nlocation = "10\.0\.0\.5:8080\/lan"\ninsecure = true/,
    );
  });

  test('a registry that another file configures is left to whoever wrote that', async () => {
    await using here = await machine();
    await here.write('/etc/containers/registries.conf', '[[registry]]\nlocation = "quay.io"\n');
    const { refused, changes } = await here.setUp('podman', 'write');
    assert.match(
      refused[0]?.reason ?? '',
      /^quay\.io is configured there; .*10\.0\.0\.5:8080\/quay\.io/,
    );
    assert.doesNotMatch(changes[0]?.diff ?? '', /quay/);
  });
});

test('comments of a YAML file stay', async () => {
  await using here = await machine();
  await lived(here);
  await here.setUp('k3s', 'write');
  const text = await here.text('/etc/rancher/k3s/registries.yaml');
  assert.match(text, /^# mine\nmirrors:\n {2}quay\.io:\n {4}# q\n/);
  assert.match(text, /- http:\/\/10\.0\.0\.5:8080\n {6}- http:\/\/a\n/);
});

for (const [what, text, added] of [
  ['numbers', '{"big": 12345678901234567890, "one": 1.0}\n', undefined],
  ['keys that are there twice', '{\n\t"a": 1,\n\t"a": 2\n}', undefined],
  ['an empty object', '{}', undefined],
  [
    'a list on one line',
    '{ "registry-mirrors": ["http://a"], "one": 1.0 }',
    '"http://10.0.0.5:8080", ',
  ],
  ['an empty list', '{ "registry-mirrors": [], "one": 1.0 }', '"http://10.0.0.5:8080"'],
] as const) {
  test(`docker: ${what} of daemon.json stay as they are written`, async () => {
    await using here = await machine();
    await here.write(DAEMON, text);
    await here.setUp('docker', 'write');
    const edited = await here.text(DAEMON);
    const { 'registry-mirrors': mirrors } = JSON.parse(edited) as Record<string, string[]>;
    assert.equal(mirrors?.[0], 'http://10.0.0.5:8080');
    const key = /,?\s*"registry-mirrors": \[\s*"http:\S+"\s*\]\n/;
    const bare = (text: string): string => text.replaceAll(/\s/g, '');
    assert.equal(bare(edited.replace(added ?? key, '')), bare(text));
  });
}

test('docker: mirrors that are no list are left alone', async () => {
  await using here = await machine();
  await here.write(DAEMON, '{ "registry-mirrors": "http://a" }');
  const { refused } = await here.setUp('docker', 'write');
  assert.equal(refused[0]?.path, DAEMON);
});

test('comments in lists that get the mirror stay', async () => {
  await using here = await machine();
  const k3s = '/etc/rancher/k3s/registries.yaml';
  await here.write(k3s, 'mirrors:\n  quay.io:\n    endpoint: # first\n      - http://a # mine\n');
  await here.setUp('k3s', 'write');
  assert.match(await here.text(k3s), /# first[^]*http:\/\/10\.0\.0\.5:8080[^]*http:\/\/a # mine/);
  const buildkit = '/etc/buildkit/buildkitd.toml';
  await here.write(buildkit, '[registry."quay.io"]\nmirrors = [ # first\n  "a:1", # mine\n]\n');
  await here.setUp('buildkit', 'write');
  assert.match(await here.text(buildkit), /"10\.0\.0\.5:8080", {2}?# first\n {2}"a:1", # mine\n\]/);
});

test('k3s: an alias is named as what it is', async () => {
  await using here = await machine();
  const k3s = '/etc/rancher/k3s/registries.yaml';
  const text = 'mirrors:\n  docker.io: &d\n    endpoint: [http://a]\n  quay.io: *d\n';
  await here.write(k3s, text);
  const { refused } = await here.setUp('k3s', 'write');
  assert.match(refused[0]?.reason ?? '', /mirrors\.quay\.io is the alias \*d/);
  assert.equal(await here.text(k3s), text);
});
