import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const SCRIPT = fileURLToPath(
  new URL('../../charts/layover/files/wait-for-nodes.mjs', import.meta.url),
);

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const daemonSet = (ready: number, nodes: number, observed = 1): Answer => ({
  status: 200,
  body: {
    metadata: { generation: 1 },
    status: { observedGeneration: observed, desiredNumberScheduled: nodes, numberReady: ready },
  },
});

/** Runs the script against an API server that gives these answers, the last one again and again. */
async function waited(answers: readonly Answer[], timeout: string) {
  await using folder = await temporaryFolder();
  const authority = certificateAuthority();
  const asked: IncomingMessage[] = [];
  const server = createServer(authority.issue('127.0.0.1'), (request, response) => {
    const { status, body } = answers[Math.min(asked.length, answers.length - 1)] ?? assert.fail();
    asked.push(request);
    response.writeHead(status).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await writeFile(path.join(folder.path, 'token'), 'secret-token\n');
  await writeFile(path.join(folder.path, 'ca.crt'), authority.ca);
  const child = spawn(process.execPath, [SCRIPT], {
    env: {
      ACCOUNT: folder.path,
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: `${port}`,
      NAMESPACE: 'space',
      DAEMONSET: 'release-undo',
      TIMEOUT: timeout,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => said.push(text));
  }
  const [code] = await once(child, 'close');
  server.close();
  return { code: code as number, text: said.join(''), asked };
}

suite('waiting for the nodes', { concurrency: true }, () => {
  test('ends when every node is done', async () => {
    const { code, text, asked } = await waited([daemonSet(0, 2), daemonSet(2, 2)], '30');
    assert.equal(code, 0, text);
    assert.match(text, /0 of 2 nodes are done/);
    const [first] = asked;
    assert.equal(first?.url, '/apis/apps/v1/namespaces/space/daemonsets/release-undo');
    assert.equal(first?.headers.authorization, 'Bearer secret-token');
  });

  test('does not believe what was there before the DaemonSet was seen', async () => {
    const { code, text } = await waited([daemonSet(0, 0, 0), daemonSet(1, 1)], '30');
    assert.equal(code, 0, text);
    assert.match(text, /it has not begun/);
  });

  test('gives up in the end, and says why', async () => {
    const { code, text } = await waited([daemonSet(1, 2)], '0.5');
    assert.equal(code, 1);
    assert.match(text, /gave up on release-undo: 1 of 2 nodes are done/);
  });

  test('an API server that refuses is asked again, and named', async () => {
    const refused = { status: 403, body: { message: 'forbidden' } };
    const { code, text } = await waited([refused, daemonSet(1, 1)], '30');
    assert.equal(code, 0, text);
    assert.match(text, /403 .*forbidden/);
  });
});
