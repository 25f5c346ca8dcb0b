import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as dial, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
// It adds `request` to dispatchers, which only tests ask with.
import 'undici';
import { dispatcher } from '../../src/upstream/dispatcher.ts';
import { addressRule, PrivateAddressError } from '../../src/upstream/private-address.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { connect, failure, V1, X } from './support.ts';

test('a private authority is trusted once it is named, and checked for the host', async () => {
  const authority = certificateAuthority();
  await using registry = await startRegistry({ tls: authority.issue('127.0.0.1') });
  const { manifest } = registry.addImage('library/x', 'v1');
  await using stranger = connect(registry);
  const error = await failure(stranger.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.ok(error.message.includes('upstreams.example.test.tls.ca'), error.message);
  assert.ok(stranger.events.some((event) => event.type === 'request' && event.code === 'tls'));
  await using source = connect(registry, { tls: { ca: authority.ca } });
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  await using careless = connect(registry, { tls: { insecureSkipVerify: true } });
  await careless.resolve(X, V1);
  await using other = await startRegistry({ tls: authority.issue('elsewhere.test') });
  await using misled = connect(other, { tls: { ca: authority.ca } });
  await failure(misled.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
});

test('a client certificate opens a registry that wants one', async () => {
  const authority = certificateAuthority();
  await using registry = await startRegistry({
    tls: { ...authority.issue('127.0.0.1'), clientCa: authority.ca },
  });
  const { manifest } = registry.addImage('library/x', 'v1');
  await using without = connect(registry, { tls: { ca: authority.ca } });
  await failure(without.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  await using source = connect(registry, { tls: { ca: authority.ca, ...authority.issue('me') } });
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
});

test('the way never leads from https to http', async () => {
  const authority = certificateAuthority();
  await using registry = await startRegistry({ tls: authority.issue('127.0.0.1') });
  await using source = connect(registry, { tls: { ca: authority.ca } });
  registry.misbehave({ times: 2 }, { kind: 'signed-redirect' });
  await failure(source.resolve(X, V1), 'UPSTREAM_INVALID');
  const challenge = `Bearer realm="${registry.storageUrl}/token"`;
  registry.misbehave(
    { path: /manifests/ },
    { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } },
  );
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
  assert.ok(registry.requests.every(({ at }) => at === 'api'));
});

test('nobody listens, no such name', async () => {
  await using registry = await startRegistry();
  const { url } = registry;
  await registry[Symbol.asyncDispose]().catch(() => {});
  await using refused = connect({ url });
  await failure(refused.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  const codes = refused.events.flatMap((event) => (event.type === 'request' ? [event.code] : []));
  assert.deepEqual(codes, ['refused', 'refused', 'refused']);
});

test('a public-looking name that resolves to a private address is refused when connecting', async () => {
  await using registry = await startRegistry();
  registry.addImage('library/x', 'v1');
  const url = new URL(registry.url);
  const answers = [{ address: '127.0.0.1', family: 4 }];
  const ask = async (allowed: readonly string[], addresses = answers) => {
    const connections = dispatcher({
      connectTimeout: 1_000,
      addresses: addressRule(['registry.test'], allowed),
      resolve: (_hostname, _options, callback) => callback(null, addresses),
    });
    try {
      const origin = `http://rebound.test:${url.port}`;
      return (await connections.request({ origin, path: '/v2/', method: 'GET' })).statusCode;
    } finally {
      await connections.destroy();
    }
  };
  await assert.rejects(ask([]), PrivateAddressError);
  await assert.rejects(ask(['10.0.0.0/8', 'other.test']), PrivateAddressError);
  await assert.rejects(
    ask([], [{ address: '8.8.8.8', family: 4 }, ...answers]),
    PrivateAddressError,
  );
  assert.equal(registry.requests.length, 0);
  assert.equal(await ask(['127.0.0.0/8']), 200);
  assert.equal(await ask(['localhost']).catch(() => 'refused'), 'refused');
});

for (const way of ['directly', 'by one proxy', 'by rules of proxies'] as const) {
  test(`the client certificate is not shown where redirects lead, ${way}`, async () => {
    const authority = certificateAuthority();
    const server = { ...authority.issue('127.0.0.1', '127.0.0.2'), clientCa: authority.ca };
    await using proxy = await startProxy();
    await using registry = await startRegistry({ tls: server });
    await using nosy = await startRegistry({ tls: server, address: '127.0.0.2' });
    const { manifest } = registry.addImage('library/x', 'v1');
    nosy.addImage('library/x', 'v1');
    const proxies = {
      directly: undefined,
      'by one proxy': proxy.url,
      'by rules of proxies': { https: proxy.url },
    };
    const tls = { ca: authority.ca, ...authority.issue('me') };
    await using source = connect(registry, { tls, proxy: proxies[way] });
    assert.equal((await source.manifest(X, V1)).descriptor.digest, manifest.digest);
    registry.misbehave({}, { kind: 'redirect', to: (path) => nosy.url + path });
    await failure(source.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
    assert.equal(nosy.requests.length, 0);
    const mirrors = [nosy.url];
    await using named = connect(registry, { tls, proxy: proxies[way], mirrors });
    assert.equal((await named.manifest(X, V1)).descriptor.digest, manifest.digest);
    assert.equal(nosy.requests.length, 1);
    assert.equal(proxy.asked.length > 0, way !== 'directly');
  });
}

/** An HTTP proxy, forwarding and tunnelling, that notes what it was asked for. */
async function startProxy() {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    void fetch(request.url ?? '', { method: request.method ?? 'GET', redirect: 'manual' }).then(
      async (answer) => {
        const headers = Object.fromEntries(answer.headers);
        response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
      },
    );
  });
  server.on('connect', (request, socket: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = dial(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on('error', () => {});
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

test('a proxy is used, for http and https, and left out where it says so', async () => {
  const authority = certificateAuthority();
  await using proxy = await startProxy();
  await using plain = await startRegistry();
  await using secure = await startRegistry({ tls: authority.issue('127.0.0.1') });
  const { manifest } = plain.addImage('library/x', 'v1');
  secure.addImage('library/x', 'v1');
  const tls = { ca: authority.ca };
  for (const registry of [plain, secure]) {
    await using source = connect(registry, { tls, proxy: proxy.url });
    assert.equal((await source.manifest(X, V1)).descriptor.digest, manifest.digest);
  }
  assert.deepEqual(proxy.asked, [
    `GET ${plain.url}/v2/library/x/manifests/v1`,
    `CONNECT ${secure.host}`,
  ]);
  const rules = { http: proxy.url, https: proxy.url };
  await using through = connect(secure, { tls, proxy: rules });
  await through.manifest(X, V1);
  assert.equal(proxy.asked.length, 3);
  await using around = connect(secure, { tls, proxy: { ...rules, none: 'x.test,127.0.0.1' } });
  await around.manifest(X, V1);
  assert.equal(proxy.asked.length, 3);
  plain.misbehave({}, { kind: 'redirect', to: 'http://169.254.169.254/' });
  await using guarded = connect(plain, { proxy: proxy.url });
  await failure(guarded.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
});
