import assert from 'node:assert/strict';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { pattern } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { here, type Here } from './here.ts';
import { session, type Ran, type Session } from './session.ts';

const BLOBS = { path: /\/blobs\// };

/** One clear line, no data, no half file, and the exit code. */
async function fails(
  ran: Here | Ran,
  code: number,
  says: RegExp,
  at: Session,
  left: string[] = [],
) {
  assert.equal(ran.error.includes('\n    at '), false, ran.error);
  const lines = ran.error.trimEnd().split('\n');
  const told = lines.filter((line) => line.startsWith('layover: '));
  assert.equal(told.length, 1, ran.error);
  assert.equal(told[0], lines.at(-1));
  assert.match(told[0] ?? '', says);
  assert.equal(ran.code, code, ran.error);
  assert.equal(ran.out, '');
  assert.deepEqual(await at.files(), left);
}

async function world(): Promise<{ registry: Registry; at: Session } & AsyncDisposable> {
  const registry = await startRegistry();
  registry.addImage('team/app', '1.2', { layers: [pattern(300_000), pattern(70_000, 2)] });
  const at = await session();
  return {
    registry,
    at,
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

for (const [line, says] of [
  [['pull', 'Alpine'], /not an image reference: "Alpine"/],
  [['pull', 'alpine@sha256:12'], /what follows @ must be/],
  [['pull', 'https://quay.io/x/y'], /write it without https:\/\//],
  [['pull', '--platform', 'linux', 'a', 'b'], /several images need .*--output/],
  [['pull', '--platform', 'a/b/c/d', 'alpine'], /not a platform: "a\/b\/c\/d"/],
  [['pull', '--all-platforms', 'alpine'], /--all-platforms needs --format oci/],
  [['pull', '--format', 'oci', '--all-platforms', '--platform', 'linux/arm64', 'x'], /exclude/],
  [['pull', '--cache-size', 'big', 'alpine'], /--cache-size: "big" is not a size/],
  [['tags', '--password', 'x', 'alpine'], /there is a password and no user/],
  [['tags', '--proxy', 'nowhere', 'alpine'], /--proxy: "nowhere" is not a URL/],
  [['delete', 'localhost:5000/app'], /say which image is meant, by localhost:5000\/app:TAG/],
  [['delete', '--tag', `localhost:5000/app@sha256:${'0'.repeat(64)}`], /names no tag/],
  [['delete', '--store', '.', 'localhost:5000/app:1'], /--store is read alone/],
  [['resolve', '-4', '-6', 'alpine'], /-4 and -6/],
  [
    ['resolve', 'oci:lay:std'],
    /"oci:lay:std": .*lies on this disk.*; examples: [^:]+:3\.20, .*…\n$/,
  ],
  [['resolve', 'docker-archive:x.tar'], /lies on this disk/],
  [['delete', 'oci:lay:std'], /lies on this disk/],
  [['push', 'docker-archive:x.tar', 'oci:lay:std'], /lies on this disk/],
  [['resolve', 'Wrong'], /not an image reference: "Wrong": (?!.*docker-archive:)/],
  [['ls', 'Wrong'], /not an image reference: "Wrong": .*docker-archive:/],
  [['repos'], /name a registry/],
  [['repos', 'a/b'], /not a registry: "a\/b"/],
  [['login', '--password-stdin'], /--password-stdin needs --user/],
  [['login', '--user', 'me'], /there is no password/],
  [['copy', 'alpine'], /missing required argument 'to'/],
] as const) {
  test(`usage: ${line.join(' ')}`, async () => {
    const ran = await here(line, { environment: { HOME: '/nonexistent' } });
    assert.match(ran.error, says);
    assert.deepEqual([ran.code, ran.out], [2, '']);
  });
}

test('what is not there, by whatever verb', async () => {
  await using place = await world();
  const { registry, at } = place;
  const as = { environment: { HOME: at.home } };
  const arm = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const { manifest } = registry.addImage('team/app', undefined, { layers: ['x'] });
  registry.addIndex('team/app', 'multi', [
    { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size, platform: arm },
  ]);
  const image = `${registry.host}/team/app`;
  const cases = [
    [['pull', `${image}:nope`], /nope is not there/],
    [['manifest', `${image}:nope`], /nope is not there/],
    [['digest', `${image}:nope`], /nope is not there/],
    [['delete', `${image}:nope`], /nope is not there/],
    [['delete', '--tag', `${image}:nope`], /nope is not there/],
    [['tags', `${registry.host}/team/none`], /team\/none: .*not there/],
    [
      ['pull', '--platform', 's390x', `${image}:multi`],
      /no image for linux\/s390x; there is linux\/arm64\/v8/,
    ],
    [['layer', `${image}:1.2`, '0', '--platform', 'windows/amd64'], /there is linux\/amd64/],
    [['push', 'app.tar', `${image}:2`], /there is no file or folder app\.tar; "layover copy"/],
    [['copy', 'docker-archive:app.tar', `${image}:2`], /there is no file app\.tar/],
    [['tags', '--store', '.', 'alpine'], /\. is no store/],
    [['repos', '--store', '.'], /\. is no store/],
  ] as const;
  for (const [line, says] of cases) await fails(await here(line, as), 1, says, at);
  const wrong = await here(['layer', `${image}:1.2`, '7'], as);
  await fails(wrong, 2, /there is no layer 7: there is 0 [0-9a-f]{12}, 1 /, at);
});

test('a wrong password, a certificate that nobody knows, a registry that is not there', async () => {
  await using at = await session();
  const auth = { kind: 'bearer', username: 'me', password: 'right' } as const;
  await using closed = await startRegistry({ auth });
  closed.addImage('team/app', '1');
  const user = ['--user', 'me', '--password', 'wrong'];
  const denied = await at.layover(['pull', ...user, `${closed.host}/team/app:1`]);
  await fails(denied, 1, /refuses the user name and password of --user; .*layover login/, at);
  await fails(
    await at.layover(['login', ...user, closed.host]),
    1,
    /wrong user name or password/,
    at,
  );
  await assert.rejects(readFile(path.join(at.home, '.docker/config.json')));
  const tls = certificateAuthority().issue('127.0.0.1');
  await using secret = await startRegistry({ tls });
  const untrusted = await at.layover(['pull', `${secret.host}/team/app:1`]);
  await fails(untrusted, 1, /--cacert FILE.*--insecure/, at);
  const gone = await startRegistry();
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  await fails(await at.layover(['tags', `${host}/x`]), 1, /cannot connect/, at);
});

test('a connection that is cut once is gone on with; one that always is, is told', async () => {
  await using place = await world();
  const { registry, at } = place;
  const image = `${registry.host}/team/app:1.2`;
  registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'cut', at: 10 });
  const ran = await at.layover(['pull', '-q', '-o', 'app.tar', image]);
  assert.deepEqual([ran.code, ran.out, ran.error, await at.files()], [0, '', '', ['app.tar']]);
  registry.misbehave(BLOBS, { kind: 'reset' });
  const cut = await at.layover(['pull', '--no-cache', '-o', 'app.tar', image]);
  await fails(cut, 1, /was cut/, at, ['app.tar']);
});

for (const cache of [[], ['--no-cache']]) {
  test(`content that is wrong is saved nowhere ${cache.join('')}`, async () => {
    await using place = await world();
    const { registry, at } = place;
    const image = `${registry.host}/team/app:1.2`;
    registry.misbehave(BLOBS, { kind: 'flip', at: 20 });
    for (const line of [
      ['pull', '-o', 'app.tar', image],
      ['pull', '--format', 'oci', '-o', 'app', image],
      ['layer', '-o', 'layer', image, '1'],
    ]) {
      await fails(await at.layover([...line, ...cache]), 1, /sha256:/, at);
    }
    const printed = await at.layover(['layer', ...cache, image, '1']);
    assert.equal(printed.code, 1);
    assert.ok(printed.data.length < 70_000, 'the last bytes are held back');
  });
}

test('what is there stays as it was when what was to replace it fails', async () => {
  await using place = await world();
  const { registry, at } = place;
  await writeFile(path.join(at.folder, 'app.tar'), 'before');
  const ran = await at.layover(['pull', '-o', 'app.tar', `${registry.host}/team/app:nope`]);
  await fails(ran, 1, /not there/, at, ['app.tar']);
  assert.equal(await readFile(path.join(at.folder, 'app.tar'), 'utf8'), 'before');
});

test('targets that cannot be written', async () => {
  await using place = await world();
  const { registry, at } = place;
  const image = `${registry.host}/team/app:1.2`;
  await mkdir(path.join(at.folder, 'folder'));
  const left = ['folder'];
  const missing = await at.layover(['pull', '-o', 'no/where.tar', image]);
  await fails(missing, 1, /no\/where\.tar/, at, left);
  await fails(await at.layover(['pull', '-o', 'folder', image]), 1, /folder/, at, left);
  const full = await at.layover(['pull', '--no-cache', '-o', 'app.tar', image], { blocks: 200 });
  await fails(full, 1, /app\.tar.*EFBIG/, at, left);
  const layer = await at.layover(['layer', '--no-cache', '-o', 'layer', image, '0'], {
    blocks: 200,
  });
  await fails(layer, 1, /cannot write layer/, at, left);
});

test('an archive that was cut short, and one that is none', async () => {
  await using place = await world();
  const { registry, at } = place;
  const file = path.join(at.folder, 'app.tar');
  await at.layover(['pull', '-o', 'app.tar', `${registry.host}/team/app:1.2`]);
  await truncate(file, 200_000);
  const target = `${registry.host}/team/other:1`;
  await fails(await at.layover(['push', 'app.tar', target]), 1, /app\.tar/, at, ['app.tar']);
  await writeFile(file, 'text');
  await fails(await at.layover(['push', 'app.tar', target]), 1, /app\.tar/, at, ['app.tar']);
  assert.equal(registry.tags('team/other'), undefined);
});

test('Ctrl-C at any moment: nothing is left under its name, and the shell learns of it', async () => {
  await using place = await world();
  const { registry, at } = place;
  const image = `${registry.host}/team/app:1.2`;
  const closed = gate();
  const moments = [
    ['hold-headers', { path: /\/manifests\// }],
    ['hold-headers', BLOBS],
    ['hold-body', BLOBS],
  ] as const;
  for (const [kind, matcher] of moments) {
    for (const line of [
      ['pull', '-o', 'app.tar'],
      ['pull', '--no-cache', '-o', 'app.tar'],
      ['pull', '--format', 'oci', '-o', 'app'],
    ]) {
      const undo = registry.misbehave(matcher, { kind, at: 5000, gate: closed });
      const before = registry.count(matcher);
      const { child, ran } = at.start([...line, image]);
      await registry.seen(matcher, before + 1);
      const interrupted = performance.now();
      child.kill('SIGINT');
      const { code, out, error } = await ran;
      const [last] = error.trimEnd().split('\n').slice(-1);
      assert.deepEqual(
        [code, out, last],
        [130, '', 'layover: interrupted'],
        `${kind} ${line.join(' ')}`,
      );
      assert.deepEqual(await at.files(), []);
      // Well before what was asked for would have timed out.
      assert.ok(performance.now() - interrupted < 10_000, `${kind} ${line.join(' ')}`);
      undo();
    }
  }
  closed.open();
  const after = await at.layover(['pull', '-q', '-o', 'app.tar', image]);
  assert.deepEqual([after.code, after.error, await at.files()], [0, '', ['app.tar']]);
});
