import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as entry from 'undici';
import * as parts from '../../src/upstream/undici.ts';

test('the parts of undici are those that its entry exports', () => {
  assert.equal(parts.Agent, entry.Agent);
  assert.equal(parts.Dispatcher, entry.Dispatcher);
  assert.equal(parts.buildConnector, entry.buildConnector);
  assert.equal(parts.errors, entry.errors);
  assert.equal(parts.proxyAgents().ProxyAgent, entry.ProxyAgent);
  assert.equal(parts.proxyAgents().EnvHttpProxyAgent, entry.EnvHttpProxyAgent);
});
