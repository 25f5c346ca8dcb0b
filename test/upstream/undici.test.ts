import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as parts from '../../src/upstream/undici.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';

// After the parts: they are to be loaded first, as in the program.
const entry = await import('undici');

test('the parts of undici are those that its entry exports', () => {
  assert.equal(parts.Agent, entry.Agent);
  assert.equal(parts.Dispatcher, entry.Dispatcher);
  assert.equal(parts.buildConnector, entry.buildConnector);
  assert.equal(parts.errors, entry.errors);
  assert.equal(parts.proxyAgents().ProxyAgent, entry.ProxyAgent);
  assert.equal(parts.proxyAgents().EnvHttpProxyAgent, entry.EnvHttpProxyAgent);
});

test('HTTP/2, loaded when it is first spoken, is spoken as ever', async () => {
  const authority = certificateAuthority();
  const server = createSecureServer(authority.issue('127.0.0.1'), ({ httpVersion }, response) =>
    response.end(httpVersion),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new parts.Agent({ allowH2: true, connect: { ca: authority.ca } });
  try {
    const { port } = server.address() as AddressInfo;
    const { body } = await entry.request(`https://127.0.0.1:${port}/`, { dispatcher: agent });
    assert.equal(await body.text(), '2.0');
  } finally {
    await agent.destroy();
    server.close();
  }
});
