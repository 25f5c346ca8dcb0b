import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Turn } from '../../src/http/turn.ts';
import { serve } from './serve.ts';

test('what was made in one turn of the event loop leaves at its end, in order', async () => {
  const turn = new Turn();
  const left: string[] = [];
  const leaving = (name: string) => ({ leave: () => void left.push(name) });
  turn.atEnd(leaving('first'));
  await Promise.resolve();
  turn.atEnd({
    leave: () => {
      left.push('second');
      turn.atEnd(leaving('of the next turn'));
    },
  });
  await new Promise((resolve) => process.nextTick(resolve));
  turn.atEnd(leaving('third'));
  assert.deepEqual(left, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left, ['first', 'second', 'third']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left, ['first', 'second', 'third', 'of the next turn']);
});

test('an answer is made at once, and leaves at the end of the turn', async () => {
  await using mirror = await serve();
  const seen: boolean[] = [];
  const server = createServer((incoming, outgoing) => {
    mirror.app.handle(incoming, outgoing);
    seen.push(outgoing.headersSent, outgoing.writableEnded);
    setImmediate(() => seen.push(outgoing.writableEnded));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/v2/`);
  assert.equal(await answer.text(), '{}');
  assert.deepEqual(seen, [true, false, true]);
  server.close();
  server.closeAllConnections();
});
