import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { WELL_KNOWN } from '../../src/config/well-known.ts';
import { here, type Here } from '../cli/here.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { serve } from '../http/serve.ts';
import { KNOWN } from '../setup/patient.ts';

const known = () => KNOWN;
const NONE = Object.fromEntries(Object.keys(WELL_KNOWN).map((host) => [host, 'off']));

/** A folder for a machine's files and for configurations, and the command line. */
async function shell() {
  const folder = await temporaryFolder();
  const environment = { HOME: folder.path, PATH: '/nonexistent' };
  return {
    at: (...names: readonly string[]) => path.join(folder.path, ...names),
    layover: (...line: readonly string[]): Promise<Here> => here(line, { environment }),
    config: async (settings: object): Promise<string> => {
      const file = path.join(folder.path, 'layover.yaml');
      const storage = { path: path.join(folder.path, 'data'), maxSize: '1MiB', minFree: 0 };
      await writeFile(file, JSON.stringify({ storage, ...settings }));
      return file;
    },
    root: folder.path,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const hostsOf = ({ out }: Here): readonly string[] =>
  [...out.matchAll(/certs\.d\/(\S+)\/hosts\.toml$/gm)].map(([, host]) => host ?? '');

suite('layover setup', () => {
  test('asks the mirror for its registries; shows, writes, and undoes', async () => {
    await using mirror = await serve({ known });
    await using at = await shell();
    const line = ['setup', 'containerd', '--root', at.root, '--mirror', mirror.url];
    const plan = await at.layover(...line);
    assert.equal(plan.code, 0);
    assert.match(plan.out, /^\+\[host\."http:\/\/127/m);
    assert.match(plan.error, /--write does it/);
    const written = await at.layover(...line, '--write');
    assert.deepEqual(hostsOf(written), ['docker.io', 'quay.io']);
    const file = at.at('etc/containerd/certs.d/quay.io/hosts.toml');
    assert.match(await readFile(file, 'utf8'), /^server = "https:\/\/quay\.io"$/m);
    const again = await at.layover(...line, '--write', '--json');
    const { changes, upstreams } = JSON.parse(again.out) as Record<string, unknown[]>;
    assert.deepEqual([changes, upstreams], [[], ['docker.io', 'quay.io']]);
    const undone = await at.layover('setup', 'containerd', '--root', at.root, '--undo', '--write');
    assert.deepEqual(hostsOf(undone).toSorted(), ['docker.io', 'quay.io']);
    await assert.rejects(readFile(file), { code: 'ENOENT' });
  });

  test('only what is wanted, and only what is mirrored', async () => {
    await using mirror = await serve({ known });
    await using at = await shell();
    const line = ['setup', 'containerd', '--root', at.root, '--mirror', mirror.url, '--upstream'];
    assert.deepEqual(hostsOf(await at.layover(...line, 'Quay.io', '--write')), ['quay.io']);
    const { code, error } = await at.layover(...line, 'ghcr.io');
    assert.equal(code, 1);
    assert.match(error, /not mirrored there: ghcr\.io; what is: docker\.io, quay\.io/);
  });

  test('asks it elsewhere, with an authority of its own', async () => {
    const authority = certificateAuthority();
    await using mirror = await serve({ known }, authority.issue('127.0.0.1'));
    await using at = await shell();
    await writeFile(at.at('ca.pem'), authority.ca);
    const line = ['setup', 'podman', '--root', at.root, '--mirror', 'https://mirror.lan'];
    const ask = ['--ask', mirror.url, '--ca', at.at('ca.pem'), '--write'];
    assert.equal((await at.layover(...line, ...ask)).code, 0);
    const conf = await readFile(at.at('etc/containers/registries.conf.d/50-layover.conf'), 'utf8');
    assert.match(conf, /^location = "mirror\.lan\/docker\.io"$/m);
    const ca = await readFile(at.at('etc/containers/certs.d/mirror.lan/ca.crt'), 'utf8');
    assert.equal(ca, authority.ca);
  });

  test('a mirror that cannot be asked needs its registries named', async () => {
    await using at = await shell();
    const line = ['setup', 'containerd', '--root', at.root, '--mirror', 'http://127.0.0.1:1'];
    const { code, error } = await at.layover(...line);
    assert.equal(code, 1);
    assert.match(error, /--upstream/);
    const named = await at.layover(...line, '--upstream', 'ghcr.io', '--write');
    assert.deepEqual(hostsOf(named), ['ghcr.io']);
  });

  test('without a mirror that is named it is that of the configuration, running or not', async () => {
    await using at = await shell();
    const file = await at.config({
      listen: '0.0.0.0:1',
      defaultUpstream: 'none',
      upstreams: { ...NONE, 'quay.io': {} },
    });
    const { out, code } = await at.layover('setup', 'k3s', '--root', at.root, '--config', file);
    assert.equal(code, 0);
    assert.match(out, /^\+ {2}quay\.io:\n\+ {4}endpoint:\n\+ {6}- http:\/\/127\.0\.0\.1:1$/m);
    assert.doesNotMatch(out, /docker\.io/);
  });

  test('what has to be done by hand is an exit code of 1', async () => {
    await using mirror = await serve({ known });
    await using at = await shell();
    const line = ['setup', 'podman', '--root', at.root, '--mirror', mirror.url, '--write'];
    await at.layover(...line);
    const file = at.at('etc/containers/registries.conf.d/99.conf');
    await writeFile(file, '[[registry]]\nlocation = "quay.io"\n');
    const { code, error } = await at.layover(...line);
    assert.equal(code, 1);
    assert.match(error, /99\.conf: quay\.io is configured there/);
  });

  for (const [what, line] of [
    ['a client that nobody knows', ['emacs']],
    ['--force without --undo', ['docker', '--force']],
  ] as const) {
    test(`${what} is a wrong command line`, async () => {
      await using at = await shell();
      assert.equal((await at.layover('setup', ...line)).code, 2);
    });
  }

  for (const [what, line] of [
    ['a path behind the mirror', ['--mirror', 'http://m/path']],
    ['a registry that cannot be one', ['--mirror', 'http://m', '--upstream', '../../etc']],
    ['an authority that is none', ['--mirror', 'http://m', '--ca', '/dev/null']],
  ] as const) {
    test(`${what} is refused`, async () => {
      await using at = await shell();
      const { code, out } = await at.layover('setup', 'containerd', '--root', at.root, ...line);
      assert.deepEqual([code, out], [1, '']);
    });
  }

  test('names of files that a mirror would choose are left out', async () => {
    const upstreams = ['../../../tmp/x', '..', '_default', 'quay.io'].map((host) => ({
      host,
      aliases: ['../y'],
    }));
    await using mirror = await serve({ known: () => ({ ...KNOWN, upstreams }) });
    await using at = await shell();
    const line = ['setup', 'containerd', '--root', at.root, '--mirror', mirror.url, '--write'];
    assert.deepEqual(hostsOf(await at.layover(...line)), ['quay.io']);
  });
});

suite("layover doctor, on the mirror's machine", () => {
  const found = ({ out }: Here): readonly string[] => {
    const { checks } = JSON.parse(out) as { checks: { findings: { code: string }[] }[] };
    const codes = checks.flatMap(({ findings }) => findings.map(({ code }) => code));
    // The machine is a folder: no client of it pulls.
    assert.equal(codes.pop(), 'nothing-pulled');
    return codes;
  };
  const doctor = async (settings: object): Promise<Here> => {
    await using mirror = await serve({ known });
    await using at = await shell();
    const file = await at.config({ listen: new URL(mirror.url).host, ...settings });
    return await at.layover('doctor', '--config', file, '--root', at.root, '--json');
  };
  const upstream = (settings: object): object => ({
    upstreams: { ...NONE, 'docker.io': settings },
  });
  const login = { username: 'me', password: 'right' };
  const basic = { auth: { kind: 'basic', username: 'me', password: 'right' } } as const;

  test('all is well', async () => {
    await using origin = await startRegistry();
    const ran = await doctor(upstream({ url: origin.url }));
    assert.deepEqual([found(ran), ran.code], [[], 0]);
  });

  test('a login that is taken, refused, or missing', async () => {
    await using origin = await startRegistry(basic);
    const { url } = origin;
    assert.deepEqual(found(await doctor(upstream({ url, credentials: login }))), []);
    const wrong = { ...login, password: 'wrong' };
    const refused = await doctor(upstream({ url, credentials: wrong }));
    assert.deepEqual([found(refused), refused.code], [['credentials-refused'], 1]);
    assert.doesNotMatch(refused.out, /wrong"/);
    assert.deepEqual(found(await doctor(upstream({ url }))), ['credentials-missing']);
  });

  test('an upstream that is not there', async () => {
    const timeouts = { connect: '200ms', headers: '200ms' };
    const at = (url: string) => doctor(upstream({ url, timeouts }));
    assert.deepEqual(found(await at('http://127.0.0.1:1')), ['upstream-unreachable']);
    assert.deepEqual(found(await at('http://registry.invalid')), ['upstream-dns']);
  });

  test('what is dialled is named, not what stands for it', async () => {
    const ran = await doctor(upstream({ url: 'http://registry.invalid:81' }));
    assert.match(ran.out, /"getent hosts registry\.invalid /);
    const shut = await doctor(upstream({ url: 'http://127.0.0.1:1' }));
    assert.match(shut.out, /"curl -v http:\/\/127\.0\.0\.1:1\/v2\/ /);
  });

  test('an upstream that answers and fails', async () => {
    await using origin = await startRegistry();
    origin.misbehave({}, { kind: 'status', status: 500 });
    const ran = await doctor(upstream({ url: origin.url }));
    assert.deepEqual(found(ran), ['upstream-failing']);
  });

  test('a password that is not in the environment is not refused', async () => {
    await using origin = await startRegistry();
    const credentials = { username: 'me', passwordEnv: 'NOT_SET' };
    const ran = await doctor(upstream({ url: origin.url, credentials }));
    assert.deepEqual(found(ran), ['credentials-missing']);
    assert.match(ran.out, /the environment has no NOT_SET/);
  });

  test('an upstream that limits its rate', async () => {
    await using origin = await startRegistry();
    origin.misbehave({}, { kind: 'status', status: 429, headers: { 'Retry-After': '60' } });
    assert.deepEqual(found(await doctor(upstream({ url: origin.url }))), ['rate-limit']);
  });

  test('an upstream whose certificate nobody knows', async () => {
    const authority = certificateAuthority();
    await using origin = await startRegistry({ tls: authority.issue('127.0.0.1') });
    assert.deepEqual(found(await doctor(upstream({ url: origin.url }))), ['upstream-tls']);
  });

  test('an upstream that is meant to speak TLS, and does not', async () => {
    await using origin = await startRegistry();
    const ran = await doctor(upstream({ url: origin.url.replace('http:', 'https:') }));
    assert.deepEqual(found(ran), ['upstream-tls']);
    assert.match(ran.out, /does not speak TLS/);
    assert.doesNotMatch(ran.out, /certificate|tls\.ca/);
  });

  test('offline no upstream is asked', async () => {
    await using origin = await startRegistry();
    const ran = await doctor({ offline: true, ...upstream({ url: origin.url }) });
    assert.deepEqual(found(ran), []);
    assert.equal(origin.count({}), 0);
  });

  test('certificates and the disk', async () => {
    const ran = await doctor({
      offline: true,
      defaultUpstream: 'none',
      storage: { path: '/dev/null', maxSize: '1MiB', minFree: 0 },
      upstreams: { ...NONE, 'quay.io': { tls: { cert: '/dev/null', key: '/dev/null' } } },
    });
    assert.deepEqual(found(ran), ['certificate-unreadable', 'disk-read-only']);
  });

  test('with a mirror that is named nothing of this machine counts', async () => {
    await using mirror = await serve({ known });
    await using at = await shell();
    const ran = await at.layover('doctor', '--mirror', mirror.url, '--root', at.root);
    assert.equal(ran.code, 0);
    assert.doesNotMatch(ran.out, /disk|upstreams:/);
    assert.match(ran.out, /^warn .*\n {6}saw: {3}no pull was made/m);
    assert.match(ran.error, /^no fault, a warning$/m);
  });

  test('what is found is told with what it means and what mends it', async () => {
    await using at = await shell();
    const ran = await at.layover('doctor', '--mirror', 'http://127.0.0.1:1', '--root', at.root);
    assert.equal(ran.code, 1);
    assert.match(ran.out, /^FAIL {2}the mirror at.*\n {6}saw: .*\n {6}means: .*\n {6}mend: /);
    assert.match(ran.error, /a fault/);
  });
});
