import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { padding, tarHeader, TRAILER } from '../../../src/image/archive/tar-write.ts';
import { walkTar } from '../../../src/layer/tar.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const LONG = `blobs/sha512/${'f'.repeat(128)}`;
const HUGE = 8 * 1024 ** 3 + 5;

/** A sparse file, so that its size costs nothing. */
async function archive(folder: string): Promise<string> {
  const name = path.join(folder, 'x.tar');
  const file = await open(name, 'w');
  let position = 0;
  for (const entry of [
    { name: 'a', size: 3 },
    { name: 'blobs/', size: 0 },
    { name: 'huge', size: HUGE },
    { name: LONG, size: 512 },
    { name: 'exactly', size: 8 * 1024 ** 3 - 1 },
  ]) {
    const header = tarHeader(entry);
    await file.write(header, 0, header.length, position);
    position += header.length + entry.size + padding(entry.size);
  }
  await file.write(TRAILER, 0, TRAILER.length, position);
  await file.close();
  return name;
}

const EXPECTED = [
  ['a', 3],
  ['blobs/', 0],
  ['huge', HUGE],
  [LONG, 512],
  ['exactly', 8 * 1024 ** 3 - 1],
];

test('GNU tar reads what is written, 8 GiB and more included', async () => {
  await using folder = await temporaryFolder();
  const listed = execFileSync('tar', ['tvf', await archive(folder.path)], { encoding: 'utf8' });
  const found = listed
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map((fields) => [fields[5], Number(fields[2])]);
  assert.deepEqual(found, EXPECTED);
});

test('Python reads what is written, 8 GiB and more included', async () => {
  await using folder = await temporaryFolder();
  const script =
    'import json, sys, tarfile; print(json.dumps([[m.name + ("/" if m.isdir() else ""), m.size] for m in tarfile.open(sys.argv[1])]))';
  const name = await archive(folder.path);
  const listed = execFileSync('python3', ['-c', script, name], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(listed), EXPECTED);
});

test('any name and size is read again', async () => {
  const names = fc.oneof(
    fc.stringMatching(/^[a-z/._-]{1,300}[a-z]$/),
    fc.string({ unit: 'grapheme', minLength: 90, maxLength: 130 }).map((text) => `${text}x`),
  );
  const sizes = fc.oneof(fc.nat(3000), fc.constantFrom(0o77777777777, 0o100000000000, 2 ** 50));
  await fc.assert(
    fc.asyncProperty(
      names.filter((name) => !name.includes('\0') && name.isWellFormed()),
      sizes,
      async (name, size) => {
        let skipped = 0;
        const chunks = async function* () {
          yield tarHeader({ name, size });
        };
        const input = {
          [Symbol.asyncIterator]: chunks,
          skip: (count: number) => {
            skipped += count;
            return count;
          },
        };
        for await (const entry of walkTar(input)) {
          assert.deepEqual([entry.name, entry.size], [name, size]);
          break;
        }
        assert.ok(skipped >= 0);
      },
    ),
  );
});
