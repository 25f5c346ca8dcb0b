import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RegistryError } from '../../src/core/errors.ts';
import { decodeName, encodeName, printableName } from '../../src/layer/name.ts';
import type { TarEntry } from '../../src/layer/tar-entry.ts';
import { walkTar } from '../../src/layer/tar.ts';
import { collect, pattern } from '../fixtures/collect.ts';
import {
  blocksOf,
  file,
  folder,
  hardlink,
  long,
  paxOf,
  seal,
  symlink,
  tarOf,
  type Item,
} from '../fixtures/layer-builder.ts';

async function* chunksOf(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function read(tar: Uint8Array, size = 700) {
  const seen: (TarEntry & { data: Buffer })[] = [];
  for await (const entry of walkTar(chunksOf(tar, size))) {
    seen.push({ ...entry, data: await collect(entry.content()) });
  }
  return seen;
}

async function names(tar: Uint8Array): Promise<string[]> {
  const seen: string[] = [];
  for await (const { name } of walkTar(chunksOf(tar, 4096))) seen.push(name);
  return seen;
}

const damage = (error: unknown): boolean =>
  error instanceof RegistryError && error.code === 'LAYER_INVALID';
const LONG = `${'d'.repeat(120)}/${'n'.repeat(200)}`;

describe('walkTar', () => {
  test('types, modes, links, devices', async () => {
    const items: Item[] = [
      folder('etc', { mtime: 12 }),
      file('etc/passwd', 'root', { mode: 0o4755, uid: 7, gid: 8 }),
      symlink('sh', '/bin/dash'),
      hardlink('pw', 'etc/passwd'),
      { name: 'null', flag: '3' },
      { name: 'disk', flag: '4' },
      { name: 'pipe', flag: '6' },
      { name: 'old', flag: '\0', data: 'v7', magic: 'v7' },
      { name: 'olddir/', flag: '\0', magic: 'v7' },
      { name: 'contiguous', flag: '7', data: 'c' },
    ];
    const seen = await read(tarOf(items));
    assert.deepEqual(
      seen.map(({ name, type, mode, link, data }) => [name, type, mode, link, data.toString()]),
      [
        ['etc/', 'directory', 0o755, undefined, ''],
        ['etc/passwd', 'file', 0o4755, undefined, 'root'],
        ['sh', 'symlink', 0o777, '/bin/dash', ''],
        ['pw', 'hardlink', 0o644, 'etc/passwd', ''],
        ['null', 'character', 0o644, undefined, ''],
        ['disk', 'block', 0o644, undefined, ''],
        ['pipe', 'fifo', 0o644, undefined, ''],
        ['old', 'file', 0o644, undefined, 'v7'],
        ['olddir/', 'directory', 0o644, undefined, ''],
        ['contiguous', 'file', 0o644, undefined, 'c'],
      ],
    );
    assert.deepEqual([seen[1]?.uid, seen[1]?.gid, seen[0]?.mtime], [7, 8, 12]);
  });

  test('names that are long, in PAX, global PAX and GNU ways', async () => {
    const tar = tarOf([
      { name: 'g', flag: 'g', data: paxOf({ mtime: '5.5', uname: 'everybody' }) },
      file('short', 'x', {
        pax: { path: LONG, mtime: '-1.25', uid: '3000000', 'SCHILY.xattr.user.k': 'v' },
      }),
      file('plain'),
      long('L', LONG),
      long('K', `/${LONG}`),
      { ...symlink('cut', 'cut'), magic: 'gnu' },
    ]);
    const seen = await read(tar, 100);
    assert.deepEqual(
      seen.map(({ name }) => name),
      [LONG, 'plain', LONG],
    );
    assert.deepEqual(
      seen.map(({ mtime }) => mtime),
      [-1.25, 5.5, 5.5],
    );
    assert.equal(seen[0]?.uid, 3_000_000);
    assert.equal(Buffer.from(seen[0]?.xattrs.get('user.k') ?? '').toString(), 'v');
    assert.equal(seen[2]?.link, `/${LONG}`);
    assert.equal(seen[1]?.user, 'everybody');
  });

  test('the prefix of ustar, numbers of base 256, signed checksums', async () => {
    const block = blocksOf(file('name\u00e9', ''));
    block.write('some/where', 345);
    block.fill(0xff, 136, 148);
    seal(block);
    const sum = [...block].reduce(
      (total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte > 127 ? byte - 256 : byte),
      0,
    );
    // Negative sums never fit: enough of them here to differ, not enough to go below zero.
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const [entry] = await read(Buffer.concat([block, Buffer.alloc(1024)]));
    assert.equal(entry?.name, 'some/where/name\u00e9');
    assert.equal(entry?.mtime, -1);
  });

  test('names that are not UTF-8 are kept to the byte and printed safely', async () => {
    const raw = Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xed, 0xb2, 0x80, 0x0a, 0x62]);
    const [entry] = await read(tarOf([{ name: raw, data: '' }]));
    assert.ok(encodeName(entry?.name ?? '').equals(raw));
    assert.equal(printableName(entry?.name ?? ''), 'a\\xff\u00e9\\xed\\xb2\\x80\\x0ab');
    assert.equal(printableName('a\u202eb\u001b[2J'), 'a\\u{202e}b\\x1b[2J');
  });

  test('any bytes are a name and the same bytes again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        assert.deepEqual(Uint8Array.from(encodeName(decodeName(bytes))), Uint8Array.from(bytes));
      }),
    );
  });

  test('the end: zeros, nothing, one block of zeros; what follows does not matter', async () => {
    const one = blocksOf(file('a', 'x'));
    const cases = [
      one,
      Buffer.concat([one, Buffer.alloc(512)]),
      Buffer.concat([one, Buffer.alloc(1024), Buffer.from('whatever')]),
      Buffer.concat([one, Buffer.alloc(10_240)]),
    ];
    for (const tar of cases) assert.deepEqual(await names(tar), ['a']);
    assert.deepEqual(await names(Buffer.alloc(0)), []);
    assert.deepEqual(await names(Buffer.alloc(1024)), []);
  });

  test('cut anywhere but between entries it is an error, in listing and in reading', async () => {
    const tar = Buffer.concat([
      blocksOf(file('a', pattern(3000), { pax: { comment: 'c' } })),
      blocksOf(file('b')),
    ]);
    const between = new Set([0, 512 + 512 + 512 + 3072, tar.length]);
    for (let cut = 0; cut <= tar.length; cut += 100) {
      if (between.has(cut)) continue;
      // The extended header alone: an archive that ends with it lacks what it is about.
      await assert.rejects(names(tar.subarray(0, cut)), damage, `listing, cut at ${cut}`);
      await assert.rejects(read(tar.subarray(0, cut)), damage, `reading, cut at ${cut}`);
    }
    await assert.rejects(names(tar.subarray(0, 1024)), damage);
  });

  test('what is no archive is told so', async () => {
    await assert.rejects(names(Buffer.from('x'.repeat(2000))), /not a tar archive/);
    const tar = tarOf([file('a', 'x'), file('b', 'y')]);
    tar[1024 + 3] = 0x7a;
    await assert.rejects(names(tar), /wrong checksum in the header at byte 1024/);
  });

  test('records larger than any name needs are refused before they are read', async () => {
    const header = blocksOf({ name: 'x', flag: 'x', size: 9 * 1024 * 1024 });
    await assert.rejects(
      names(Buffer.concat([header, Buffer.alloc(4096)])),
      /extended header of 9437184 bytes/,
    );
    await assert.rejects(names(blocksOf({ name: 'x', flag: 'L', size: 2 ** 32 })), damage);
  });

  test('data goes by the type in the header: an old folder may have some, a link that says so has none', async () => {
    const tar = tarOf([
      file('old/', 'some'),
      { ...symlink('s', 'x'), size: 700 },
      { ...hardlink('h', 'x'), size: 700 },
      file('last'),
    ]);
    assert.deepEqual(await names(tar), ['old/', 's', 'h', 'last']);
  });

  test('content is read in its turn, in part or not at all', async () => {
    const tar = tarOf([file('a', pattern(100_000)), file('b', pattern(5000, 2)), file('c', 'end')]);
    const seen: string[] = [];
    for await (const entry of walkTar(chunksOf(tar, 999))) {
      seen.push(entry.name);
      if (entry.name !== 'a') continue;
      for await (const chunk of entry.content()) if (chunk.length > 0) break;
    }
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  test('nothing that comes in makes it hang, grow or throw anything else', async () => {
    const seeds = [
      tarOf([
        file('a', 'xx', {
          pax: { path: 'long', 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '9' },
        }),
        { ...file('s', 'x'), flag: 'S', magic: 'gnu' },
        long('L', LONG),
        folder('d'),
      ]),
    ];
    const mutated = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(6000), fc.nat(255)), { maxLength: 12 }),
        fc.nat(6000),
        fc.boolean(),
      )
      .map(([seed, edits, cut, resealed]) => {
        const bytes = Buffer.from(seed);
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        if (resealed)
          for (let at = 0; at + 512 <= bytes.length; at += 512)
            if (bytes[at + 257] === 0x75) seal(bytes.subarray(at, at + 512));
        return bytes.subarray(0, Math.max(cut, 600));
      });
    const input = fc.oneof(mutated, mutated, fc.uint8Array({ maxLength: 3000 }));
    await fc.assert(
      fc.asyncProperty(input, async (bytes) => {
        let budget = 100_000;
        try {
          for await (const entry of walkTar(chunksOf(bytes, 512))) {
            for await (const part of entry.parts())
              budget -= typeof part === 'number' ? 1 : part.length;
            assert.ok(budget > 0);
          }
        } catch (error) {
          assert.ok(damage(error), String(error));
        }
      }),
      { numRuns: 1500 },
    );
  });
});

const PYTHON = spawnSync('python3', ['--version']).status === 0;
const GNU_TAR =
  spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar') ?? false;

/** Makes archives of every kind GNU tar and Python write, and says what Python reads in them. */
const MAKER = `
import hashlib, io, json, os, subprocess, sys, tarfile, tempfile
out = []
def facts(data, real):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for m in archive:
            name = os.fsencode(m.name).hex() if real else m.name
            body = archive.extractfile(m).read() if m.isreg() else b''
            yield [m.name.encode('utf8', 'surrogateescape').hex(), m.mode, m.uid, m.gid, m.mtime, m.linkname, len(body), hashlib.sha256(body).hexdigest()]
def add(label, data):
    path = os.path.join(sys.argv[1], label); open(path, 'wb').write(data)
    out.append([label, list(facts(data, True))])
for kind, number in (('ustar', tarfile.USTAR_FORMAT), ('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=number, encoding='utf8', errors='surrogateescape') as archive:
        for index in range(60):
            info = tarfile.TarInfo(('d%d/' % index) * (index % 12) + 'n\\u00e9' + 'x' * (index if kind == 'ustar' else index * 5))
            info.size = index * 333; info.mode = 0o600 + index % 8; info.uid = index * 4000; info.mtime = 1e9 + index + (0.5 if kind == 'pax' else 0)
            archive.addfile(info, io.BytesIO(bytes([index]) * info.size))
        if kind != 'ustar':
            info = tarfile.TarInfo('link' * 40); info.type = tarfile.SYMTYPE; info.linkname = 'to/' * 60; archive.addfile(info)
            info = tarfile.TarInfo('bytes\\udcff'); archive.addfile(info)
            info = tarfile.TarInfo('large-id'); info.uid = 2**31; info.gid = 2**40; info.mtime = -5; archive.addfile(info)
    add('python-' + kind, buffer.getvalue())
if sys.argv[2] == 'tar':
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + '/sparse', 'wb') as f:
            for at in range(0, 30):
                f.seek(at * 1000003); f.write(b'data %d' % at)
            f.truncate(40000000)
        with open(folder + '/hole', 'wb') as f: f.truncate(5000000)
        open(folder + '/' + 'l' * 150, 'w').write('long'); os.link(folder + '/hole', folder + '/hole2'); os.symlink('x' * 120, folder + '/sym'); os.mkdir(folder + '/dir')
        for label, flags in (('gnu', ['--format=gnu', '-S']), ('oldgnu', ['--format=oldgnu', '-S']), ('v7', ['--format=v7', '--exclude=' + 'l' * 150, '--exclude=sym']), ('ustar', ['--format=ustar', '--exclude=' + 'l' * 150, '--exclude=sym']),
                             ('pax00', ['--format=pax', '-S', '--sparse-version=0.0']), ('pax01', ['--format=pax', '-S', '--sparse-version=0.1']), ('pax10', ['--format=pax', '-S', '--sparse-version=1.0'])):
            add('gnutar-' + label, subprocess.run(['tar', '-C', folder, *flags, '-cf', '-', '.'], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
print(json.dumps(out))
`;

test(
  'archives of Python and GNU tar read as Python reads them',
  { skip: PYTHON ? false : 'needs python3' },
  async () => {
    const { temporaryFolder } = await import('../fixtures/temporary.ts');
    const { readFile } = await import('node:fs/promises');
    await using temporary = await temporaryFolder();
    const made = spawnSync('python3', ['-c', MAKER, temporary.path, GNU_TAR ? 'tar' : ''], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    assert.equal(made.status, 0, made.stderr);
    const archives = JSON.parse(made.stdout) as [string, unknown[][]][];
    assert.ok(archives.length >= 3);
    for (const [label, expected] of archives) {
      const tar = await readFile(`${temporary.path}/${label}`);
      const seen: unknown[][] = [];
      for await (const entry of walkTar(chunksOf(tar, 65_536))) {
        const hash = createHash('sha256');
        let size = 0;
        for await (const chunk of entry.content()) {
          hash.update(chunk);
          size += chunk.length;
        }
        assert.equal(size, entry.size);
        const name = encodeName(entry.name.length > 1 ? entry.name.replace(/\/$/, '') : entry.name);
        seen.push([
          name.toString('hex'),
          entry.mode,
          entry.uid,
          entry.gid,
          entry.mtime,
          entry.link ?? '',
          size,
          hash.digest('hex'),
        ]);
      }
      assert.deepEqual(seen, expected, label);
    }
  },
);
