import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { suite, test } from 'node:test';
import { certificateAuthority } from '../test/fixtures/certificate.ts';
import type { RegistryOptions } from '../test/fixtures/registry.ts';
import { badWorld, blobPath, manifestPath } from './lib/bad-world.ts';
import { pull, sha256Of } from './lib/pull.ts';

const SECRET = 'correct-horse-battery-staple';
const CLIENTS_OWN = 'a-clients-own-secret';

suite('secrets stay out of the log', () => {
  const kinds: readonly (readonly [string, NonNullable<RegistryOptions['auth']>])[] = [
    ['basic', { kind: 'basic', username: 'me', password: SECRET }],
    ['bearer', { kind: 'bearer', username: 'me', password: SECRET, expiresIn: 300 }],
  ];
  for (const [kind, auth] of kinds) {
    for (const place of ['password', 'passwordFile', 'passwordEnv'] as const) {
      for (const believed of ['right', 'wrong'] as const) {
        test(`${kind}, ${place}, the ${believed} one`, async () => {
          await using here = await badWorld({ auth });
          const { manifest, layers } = here.upstream.addImage('library/app', 'v1', {
            layers: ['a layer'],
          });
          const secret = believed === 'right' ? SECRET : `${SECRET}-of-yesterday`;
          const file = here.scratch.at('password');
          await writeFile(file, `${secret}\n`);
          const value = { password: secret, passwordFile: file, passwordEnv: 'OF_THE_HUB' }[place];
          const credentials = { username: 'me', [place]: value };
          here.upstream.misbehave({ path: /blobs/ }, { kind: 'signed-redirect', uses: 2 });
          await using server = await here.serve({
            env: { OF_THE_HUB: secret },
            config: {
              log: { level: 'trace' },
              upstreams: {
                'docker.io': {
                  url: here.upstream.url,
                  credentials,
                  allowPrivate: ['127.0.0.0/8'],
                },
              },
            },
          });
          const headers = {
            authorization: `Basic ${Buffer.from(`you:${CLIENTS_OWN}`).toString('base64')}`,
            cookie: CLIENTS_OWN,
          };
          const at = `${manifestPath('library/app', 'v1')}&token=${CLIENTS_OWN}`;
          const answer = await pull(server.url + at, { headers });
          const layer = layers[0]!.digest;
          const blob = await pull(server.url + blobPath('library/app', layer), { headers });
          if (believed === 'right') {
            assert.equal(sha256Of(answer.body), manifest.digest);
            assert.equal(sha256Of(blob.body), layer);
          } else {
            assert.ok(answer.status === 403 || answer.status === 404, `${answer.status}`);
            assert.equal(answer.headers['www-authenticate'], undefined);
          }
          await server.process.stop('SIGTERM');
          const log = server.process.lines().join('\n');
          assert.match(log, /"path":"\/v2\/library\/app\/manifests\/v1"/);
          const told = [answer, blob].map(
            ({ body, headers }) => `${body.toString()}${JSON.stringify(headers)}`,
          );
          for (const text of [log, ...told]) {
            for (const known of forms(secret, here.upstream.requests)) {
              assert.ok(!text.includes(known), `${known} in ${text.slice(0, 2000)}`);
            }
          }
          // Nor does what a client shows go on to an upstream.
          for (const { headers } of here.upstream.requests) {
            assert.ok(!JSON.stringify(headers).includes(CLIENTS_OWN));
            assert.equal(headers['cookie'], undefined);
          }
        });
      }
    }
  }
});

/** All the ways in which a secret of the run could show. */
function forms(
  secret: string,
  requests: readonly {
    readonly path: string;
    readonly headers: Readonly<Record<string, unknown>>;
  }[],
): readonly string[] {
  const sent = requests.flatMap(({ path, headers }) => {
    const authorization = headers['authorization'];
    const signature = /signature-\d+/.exec(path)?.[0];
    return [
      ...(typeof authorization === 'string' ? [authorization.replace(/^\w+ /, '')] : []),
      ...(signature === undefined ? [] : [signature]),
    ];
  });
  const own = Buffer.from(`you:${CLIENTS_OWN}`).toString('base64');
  return [secret, Buffer.from(`me:${secret}`).toString('base64'), CLIENTS_OWN, own, ...sent];
}

test('tls.clientCa: only clients with a certificate of that authority are let in', async () => {
  await using here = await badWorld();
  const { manifest } = here.upstream.addImage('library/app', 'v1', { layers: ['a layer'] });
  const [ours, theirs] = [certificateAuthority('ours'), certificateAuthority('theirs')];
  const own = ours.issue('127.0.0.1');
  const files = { cert: own.cert, key: own.key, clientCa: ours.ca };
  const tls: Record<string, string> = {};
  for (const [name, text] of Object.entries(files)) {
    tls[name] = here.scratch.at(`${name}.pem`);
    await writeFile(tls[name], text);
  }
  await using server = await here.serve({ config: { tls } });
  const url = `https://127.0.0.1:${server.port}${manifestPath('library/app', 'v1')}`;
  const known = await pull(url, { tls: { ca: ours.ca, ...ours.issue('a node') } });
  assert.equal(known.status, 200);
  assert.equal(sha256Of(known.body), manifest.digest);
  const asked = here.upstream.requests.length;
  const strangers = [{ ca: ours.ca }, { ca: ours.ca, ...theirs.issue('a node') }];
  for (const tls of strangers) {
    const answer = await pull(url, { tls });
    assert.deepEqual({ status: answer.status, end: answer.end }, { status: 0, end: 'cut' });
  }
  assert.equal((await pull(url.replace('https', 'http'))).status, 0);
  assert.equal(here.upstream.requests.length, asked);
});
