import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { Algorithm } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { HashThread } from '../../src/core/hash-thread.ts';
import { runningHash } from '../../src/core/hashing.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const DIED = (error: unknown): boolean =>
  error instanceof RegistryError && error.message === 'the thread that hashes content has ended';

function expected(algorithm: Algorithm, ...chunks: readonly Uint8Array[]): string {
  const hash = createHash(algorithm);
  for (const chunk of chunks) hash.update(chunk);
  return `${algorithm}:${hash.digest('hex')}`;
}

/** The same bytes where another thread can see them. */
function shared(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

test('it hashes what node:crypto hashes, however it is cut and wherever it lies, several at once', async () => {
  await using thread = new HashThread();
  const chunk = fc.record({ bytes: fc.uint8Array({ maxLength: 5000 }), at: fc.boolean() });
  const content = fc.record({
    chunks: fc.array(chunk, { maxLength: 12 }),
    algorithm: fc.constantFrom<Algorithm>('sha256', 'sha512'),
  });
  const contents = fc.array(content, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(contents, async (contents) => {
      const hashing = contents.map(async ({ chunks, algorithm }) => {
        using hash = thread.begin(algorithm);
        // All at once: none waits for the one before.
        const seen = chunks.map(async ({ bytes, at }) => hash.update(at ? shared(bytes) : bytes));
        const digest = await hash.digest();
        assert.equal(digest, expected(algorithm, ...chunks.map(({ bytes }) => bytes)));
        await Promise.all(seen);
      });
      await Promise.all(hashing);
    }),
    { numRuns: 60 },
  );
});

test('a digest says what came before it, and the hash goes on', async () => {
  await using thread = new HashThread();
  using hash = thread.begin('sha256');
  const [one, two] = [randomBytes(70_000), randomBytes(70_000)];
  void hash.update(one);
  const [first, , second] = [hash.digest(), hash.update(two), hash.digest()];
  assert.equal(await first, expected('sha256', one));
  assert.equal(await second, expected('sha256', one, two));
});

test('memory that is not shared may change once it was handed over, shared memory once it was seen', async () => {
  await using thread = new HashThread();
  using hash = thread.begin('sha256');
  const own = randomBytes(1000);
  const before = Buffer.from(own);
  const seen = hash.update(own);
  own.fill(0);
  await seen;
  const ring = shared(randomBytes(512 * 1024));
  const chunks: Buffer[] = [before];
  for (let round = 0; round < 20; round += 1) {
    chunks.push(Buffer.from(ring));
    await hash.update(ring);
    ring.set(randomBytes(64), round * 1000);
  }
  assert.equal(await hash.digest(), expected('sha256', ...chunks));
});

test('one that was given up is no concern of the others', async () => {
  await using thread = new HashThread();
  using kept = thread.begin('sha256');
  const gone = thread.begin('sha256');
  const under = gone.update(randomBytes(1_000_000));
  gone[Symbol.dispose]();
  gone[Symbol.dispose]();
  const bytes = randomBytes(10_000);
  await kept.update(bytes);
  await under;
  assert.equal(await kept.digest(), expected('sha256', bytes));
});

test('when the thread ends, what waits for it fails, and so does all that comes later', async () => {
  await using thread = new HashThread();
  using hash = thread.begin('sha256');
  await hash.update(randomBytes(10));
  assert.equal(thread.worked, true);
  const block = shared(Buffer.alloc(64 * 1024 * 1024));
  const waiting = [...Array.from({ length: 50 }, async () => hash.update(block)), hash.digest()];
  const ended = thread[Symbol.asyncDispose]();
  // It may have seen the first ones by then, and no others.
  const outcomes = (await Promise.allSettled(waiting)).map(({ status }) => status);
  assert.deepEqual(outcomes, outcomes.toSorted());
  assert.equal(outcomes.at(-1), 'rejected');
  await assert.rejects(async () => waiting.at(-1), DIED);
  await ended;
  assert.equal(thread.ended, true);
  await assert.rejects(async () => hash.update(block), DIED);
  await assert.rejects(hash.digest(), DIED);
  using later = thread.begin('sha256');
  await assert.rejects(later.digest(), DIED);
});

test('a defect in the thread fails what depends on it, with its cause', async () => {
  await using folder = await temporaryFolder();
  const program = path.join(folder.path, 'broken.mjs');
  await writeFile(
    program,
    `import { parentPort } from 'node:worker_threads';
     parentPort.on('message', () => { throw new TypeError('broken'); });`,
  );
  await using thread = new HashThread(pathToFileURL(program));
  using hash = thread.begin('sha256');
  await assert.rejects(
    async () => hash.update(Buffer.alloc(10)),
    (error: unknown) =>
      DIED(error) && error instanceof RegistryError && error.cause instanceof TypeError,
  );
});

test('one that cannot be started fails, and says so', async () => {
  await using thread = new HashThread(new URL('file:///nowhere/at-all.mjs'));
  using hash = thread.begin('sha256');
  await assert.rejects(hash.digest(), DIED);
  assert.deepEqual([thread.ended, thread.worked], [true, false]);
});

test('small content is hashed at once, large content elsewhere', async () => {
  using small = runningHash('sha256', 1000);
  assert.equal(small.update(Buffer.alloc(1000)), undefined);
  using large = runningHash('sha256', 100_000_000);
  const seen = large.update(Buffer.alloc(1000));
  assert.ok(seen instanceof Promise);
  await seen;
  assert.equal(await large.digest(), await small.digest());
});

const PROGRAM = `
  import { runningHash } from ${JSON.stringify(new URL('../../src/core/hashing.ts', import.meta.url).href)};
  const hash = runningHash('sha256', 1e9);
  const seen = hash.update(new Uint8Array(100));
  if (process.argv[1] === 'waits') await seen, console.log(await hash.digest());
`;

for (const how of ['waits', 'does not wait']) {
  test(`a process that ${how} for the thread ends by itself`, async () => {
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', PROGRAM];
    const child = spawn(process.execPath, [...flags, how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    assert.equal(status, 0);
    const digest = how === 'waits' ? `${expected('sha256', Buffer.alloc(100))}\n` : '';
    assert.equal(printed, digest);
  });
}

test('where threads are refused, that is known at once', async () => {
  // Refused by the constructor, as by a limit of the number of threads.
  await using thread = new HashThread(new URL('http://nowhere.invalid/thread.mjs'));
  assert.deepEqual([thread.ended, thread.worked], [true, false]);
  using hash = thread.begin('sha256');
  await assert.rejects(hash.digest(), DIED);
});
