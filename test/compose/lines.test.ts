import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, read, readFileSync, write } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { LineBlocks } from '../../src/compose/line-blocks.ts';
import { Lines } from '../../src/compose/lines.ts';

const LAST = 'the last\n';
const lost = (count: number): string => `${count} lost\n`;

async function untilLast(pipe: number): Promise<string> {
  const chunk = Buffer.alloc(64 * 1024);
  let text = '';
  while (!text.endsWith(LAST)) {
    const { bytesRead } = await promisify(read)(pipe, chunk, 0, chunk.length, null);
    text += chunk.toString('latin1', 0, bytesRead);
  }
  return text;
}

async function place() {
  const folder = await mkdtemp(path.join(tmpdir(), 'lines-'));
  return {
    at: (name: string) => path.join(folder, name),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test('waiting lines come out in order and whole, whatever they consist of', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 50 }),
    fc.nat(60_000).map((length) => 'ä'.repeat(length)),
  );
  fc.assert(
    fc.property(fc.array(fc.option(line, { freq: 5 }), { maxLength: 20 }), (steps) => {
      const blocks = new LineBlocks();
      const out: Buffer[] = [];
      const empty = (): void => {
        out.push(...blocks.take().map((bytes) => Buffer.from(bytes)));
        blocks.written();
      };
      const expected: string[] = [];
      for (const step of steps) {
        if (step === null) empty();
        else if (blocks.add(step)) expected.push(step);
      }
      empty();
      assert.equal(blocks.length, 0);
      const text = Buffer.concat(out).toString();
      assert.equal(text, Buffer.from(expected.join('')).toString());
    }),
  );
});

test('lines are written by themselves after a while, and all of them at the end', async () => {
  await using folder = await place();
  const file = openSync(folder.at('log'), 'w');
  {
    await using lines = new Lines({ to: file, lost });
    lines.write('one\n');
    while (readFileSync(folder.at('log'), 'utf8') !== 'one\n') {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let at = 0; at < 10_000; at += 1) lines.write(`line ${at}\n`);
  }
  const expected = Array.from({ length: 10_000 }, (_, at) => `line ${at}\n`).join('');
  assert.equal(readFileSync(folder.at('log'), 'utf8'), `one\n${expected}`);
  closeSync(file);
});

test('a reader that stands still costs lines, which it is told of, and never more memory than agreed', async () => {
  await using folder = await place();
  execFileSync('mkfifo', [folder.at('pipe')]);
  // Open for reading as well, so that opening it waits for nobody.
  const pipe = openSync(folder.at('pipe'), constants.O_RDWR);
  const most = 256 * 1024;
  const lines = new Lines({ to: pipe, lost, most });
  const line = (at: number): string => `${String(at).padStart(999, '0')}\n`;
  const count = 2_000;
  for (let at = 0; at < count; at += 1) {
    lines.write(line(at));
    if (at % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const ended = lines[Symbol.asyncDispose]();
  const text = untilLast(pipe);
  await ended;
  await promisify(write)(pipe, LAST);
  const came = (await text).slice(0, -LAST.length).trimEnd().split('\n');
  closeSync(pipe);
  const told = came.flatMap((part) => (part.endsWith(' lost') ? [Number.parseInt(part, 10)] : []));
  const kept = came.filter((part) => !part.endsWith(' lost'));
  assert.ok(told.length > 0, 'the loss is told');
  assert.equal(kept.length + told.reduce((sum, part) => sum + part, 0), count);
  assert.deepEqual(kept, kept.toSorted(), 'in order');
  assert.ok(kept.length * 1000 <= 2 * most + 64 * 1024, `${kept.length} lines were kept`);
});

test('a pipe that does not block is written to as fast as it is read, and lines wait for its reader', async () => {
  await using folder = await place();
  execFileSync('mkfifo', [folder.at('pipe')]);
  const pipe = openSync(folder.at('pipe'), constants.O_RDWR | constants.O_NONBLOCK);
  const reader = openSync(folder.at('pipe'), constants.O_RDONLY);
  const count = 2_000;
  const lines = new Lines({ to: pipe, lost });
  for (let at = 0; at < count; at += 1) lines.write(`${String(at).padStart(999, '0')}\n`);
  lines.flush();
  // The pipe is full by now, and nobody reads.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const text = untilLast(reader);
  await lines[Symbol.asyncDispose]();
  await promisify(write)(pipe, LAST);
  const came = (await text).slice(0, -LAST.length).trimEnd().split('\n');
  assert.deepEqual(
    came.map(Number),
    Array.from({ length: count }, (_, at) => at),
  );
  for (const file of [pipe, reader]) closeSync(file);
});

test('what could not be written is written when there is a way out again, whole and in order', async () => {
  await using folder = await place();
  execFileSync('mkfifo', [folder.at('pipe')]);
  const nobody = openSync(folder.at('pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(folder.at('pipe'), constants.O_WRONLY);
  // Without a reader a pipe refuses what is written.
  closeSync(nobody);
  const lines = new Lines({ to: pipe, lost });
  lines.write('one\n');
  lines.flush();
  await assert.rejects(promisify(write)(pipe, 'refused'), { code: 'EPIPE' });
  lines.write('two\n');
  const reader = openSync(folder.at('pipe'), constants.O_RDONLY);
  const text = untilLast(reader);
  await lines[Symbol.asyncDispose]();
  await promisify(write)(pipe, LAST);
  assert.equal(await text, `one\ntwo\n${LAST}`);
  for (const file of [pipe, reader]) closeSync(file);
});

test('a full disk delays lines, and disturbs nobody', async () => {
  const full = openSync('/dev/full', 'w');
  const lines = new Lines({ to: full, lost });
  lines.write('nobody will read this\n');
  lines.flush();
  const before = performance.now();
  await lines[Symbol.asyncDispose]();
  assert.ok(performance.now() - before > 1_000, 'it was tried for a while');
  closeSync(full);
});

test('what a program had to say before an error that nobody caught is not lost', async () => {
  const source = `
    import { Lines } from ${JSON.stringify(path.resolve('src/compose/lines.ts'))};
    new Lines({ to: 1, lost: String }).write('last words\\n');
    throw new Error('uncaught');
  `;
  await using folder = await place();
  const file = openSync(folder.at('log'), 'w');
  const line = ['--input-type=module-typescript', '-e', source];
  const child = spawn(process.execPath, line, { stdio: ['ignore', file, 'ignore'] });
  const [code] = await once(child, 'close');
  closeSync(file);
  assert.equal(readFileSync(folder.at('log'), 'utf8'), 'last words\n');
  assert.equal(code, 1);
});
