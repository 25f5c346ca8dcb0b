import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { chart, objectsIn } from './lib/chart.ts';
import { containersOf } from './lib/chart-checks.ts';
import { commandIn } from './lib/command.ts';
import { layover } from './lib/layover.ts';
import { run } from './lib/process.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

const [helm] = await tools('helm');
assert.ok(helm !== undefined);

/** Everything in the folder with its mode and content. */
async function snapshot(folder: string): Promise<string> {
  return run('sh', [
    '-euc',
    'cd "$1"; find . -printf "%p %m %l\\n" | sort; find . -type f -exec sha256sum {} + | sort',
    'sh',
    folder,
  ]);
}

const OWN = 'server = "https://quay.io"\n\n[host."https://other.example.com"]\n';

/** A node as it is before: containerd that looks for hosts.toml, and one of somebody's own. */
async function nodeOf(folder: Scratch, path: string): Promise<void> {
  await mkdir(folder.at(`host${path}/certs.d/quay.io`), { recursive: true });
  await writeFile(
    folder.at(`host${path}/config.toml`),
    `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "${path}/certs.d"\n`,
  );
  await writeFile(folder.at(`host${path}/certs.d/quay.io/hosts.toml`), OWN);
}

test(
  'what the DaemonSet runs points a node at the mirror; what the hook runs leaves nothing of it',
  { skip: helm.missing ?? false },
  async () => {
    assert.ok(helm.missing === undefined);
    await using folder = await scratch();
    await using mirror = await layover(folder, {
      name: 'mirror',
      upstreams: {
        'ghcr.io': { url: 'http://127.0.0.1:1' },
        'quay.io': { url: 'http://127.0.0.1:1' },
      },
    });
    const path = '/etc/containerd';
    await nodeOf(folder, path);
    const before = await snapshot(folder.at('host'));

    const { stdout } = await chart(helm, folder).template({
      nodes: { enabled: true, mirror: mirror.url, path },
    });
    const here = commandIn(folder.path);
    const asThere = (argument: string): string =>
      argument === '/host'
        ? folder.at('host')
        : argument.startsWith('http://release-')
          ? mirror.url
          : argument;
    const runs = async (name: string, container = 0, also = ''): Promise<string> => {
      const set = objectsIn(stdout).find(
        (object) => object.kind === 'DaemonSet' && object.name === name,
      );
      assert.ok(set !== undefined, name);
      const { args = [] } = containersOf(set)[container] ?? assert.fail(name);
      const done = await here.attempt(
        'layover',
        ...args.filter((one) => one !== '--').map(asThere),
      );
      assert.equal(done.code, 0, done.stdout + done.stderr);
      return done.stdout + (container === 0 && also === '' ? '' : done.stderr);
    };

    await runs('release-layover-nodes');
    const written = await readFile(folder.at(`host${path}/certs.d/ghcr.io/hosts.toml`), 'utf8');
    assert.ok(written.includes(`[host."${mirror.url}"]`), written);
    const merged = await readFile(folder.at(`host${path}/certs.d/quay.io/hosts.toml`), 'utf8');
    assert.ok(merged.indexOf(mirror.url) < merged.indexOf('other.example.com'), merged);
    // Once more, as it is done every few minutes: nothing to do, nothing to say.
    const after = await snapshot(folder.at('host'));
    assert.equal(await runs('release-layover-nodes', 1), '');
    assert.equal(await snapshot(folder.at('host')), after);

    await runs('release-layover-undo');
    assert.equal(await snapshot(folder.at('host')), before);

    // What somebody wrote by hand stops neither the pods nor the hook: it is told, and all else is done.
    const broken = folder.at(`host${path}/certs.d/ghcr.io/hosts.toml`);
    await mkdir(dirname(broken), { recursive: true });
    await writeFile(broken, 'server = \n');
    assert.match(await runs('release-layover-nodes', 0, 'told'), /left alone.*\n.*ghcr\.io/);
    assert.match(await runs('release-layover-nodes', 1), /left alone.*\n.*ghcr\.io/);
    const quay = folder.at(`host${path}/certs.d/quay.io/hosts.toml`);
    assert.ok((await readFile(quay, 'utf8')).includes(mirror.url));
    await writeFile(quay, `${await readFile(quay, 'utf8')}\n# mine\n`);
    assert.match(await runs('release-layover-undo', 0, 'told'), /left alone.*\n.*quay\.io/);
    assert.match(await readFile(quay, 'utf8'), /# mine/);
    assert.equal(await readFile(broken, 'utf8'), 'server = \n');
  },
);
