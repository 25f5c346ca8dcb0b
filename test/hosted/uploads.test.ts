import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { digestOf } from '../../src/core/digest.ts';
import { Paths } from '../../src/store/paths.ts';
import { UploadStore } from '../../src/store/uploads.ts';
import { pattern } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import {
  bytes,
  chunks,
  code,
  cut,
  HOUR,
  MiB,
  openWorld,
  piece,
  pushBlob,
  read,
  repository,
  temporary,
  type World,
} from './world.ts';

const apps = repository('apps/api');
const other = repository('apps/other');

/** Writes half of what it is given, and then there is no room. */
class FullDisk extends UploadStore {
  full = false;

  override async open(name: string) {
    const upload = await super.open(name);
    if (upload === undefined || !this.full) return upload;
    upload.file.write = async (block, position) => {
      await upload.file.handle.write(block, 0, block.length / 2, position);
      throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
    };
    return upload;
  }
}

/** Has opened a file and does not say so yet. */
class SlowToOpen extends UploadStore {
  readonly opening = gate();
  readonly go = gate();

  override async open(name: string) {
    const upload = await super.open(name);
    this.opening.open();
    await this.go.opened;
    return upload;
  }
}

/** Settles once the upload has so many bytes. */
async function reached({ hosted }: World, id: string, size: number): Promise<void> {
  while ((await hosted.uploads.status(apps, id)).offset < size) await turn();
}

suite('uploads', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`in chunks, named by ${algorithm}`, async (t) => {
      const world = await openWorld(await temporary(t));
      const content = bytes('one two three');
      const { id } = await world.hosted.uploads.start(apps, algorithm);
      await world.hosted.uploads.append(apps, id, piece(content.subarray(0, 4), 0));
      const { offset } = await world.hosted.uploads.append(
        apps,
        id,
        piece(content.subarray(4, 8), 4),
      );
      assert.equal(offset, 8);
      const digest = digestOf(content, algorithm);
      await world.hosted.uploads.finish(apps, id, digest, piece(content.subarray(8), 8));
      assert.deepEqual(await read(world, apps, digest), Buffer.from(content));
      assert.deepEqual(await readdir(world.paths.uploads), []);
    });
  }

  test('an algorithm that nobody announced, and none of the bytes at the end', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    await world.hosted.uploads.append(apps, id, piece(bytes('abc')));
    await world.hosted.uploads.finish(apps, id, digestOf(bytes('abc'), 'sha512'));
    await pushBlob(world, apps, bytes(''));
    assert.equal((await read(world, apps, digestOf(bytes('')))).length, 0);
  });

  test('survive a restart: what came before is hashed anew', async (t) => {
    const folder = await temporary(t);
    const before = await openWorld(folder);
    const { id } = await before.hosted.uploads.start(apps);
    await before.hosted.uploads.append(apps, id, piece(bytes('before ')));
    const after = await openWorld(folder);
    assert.equal((await after.hosted.uploads.status(apps, id)).offset, 7);
    const digest = digestOf(bytes('before after'));
    await after.hosted.uploads.finish(apps, id, digest, piece(bytes('after'), 7));
    assert.equal((await read(after, apps, digest)).toString(), 'before after');
  });

  test('a client that is cut off leaves what came, and can go on', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    const broken = { body: cut(bytes('abc'), bytes('def')), size: 9 };
    await assert.rejects(world.hosted.uploads.append(apps, id, broken), /the client is gone/);
    assert.equal((await world.hosted.uploads.status(apps, id)).offset, 6);
    const digest = digestOf(bytes('abcdefghi'));
    await world.hosted.uploads.finish(apps, id, digest, piece(bytes('ghi'), 6));
    assert.equal((await read(world, apps, digest)).toString(), 'abcdefghi');
  });

  test('a wrong position is refused and tells the right one; the upload goes on', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    await world.hosted.uploads.append(apps, id, piece(bytes('abc'), 0));
    const wrong = (error: unknown) => {
      assert.ok(code('RANGE_INVALID', 416)(error));
      assert.deepEqual((error as { detail: unknown }).detail, { offset: 3 });
      return true;
    };
    await assert.rejects(world.hosted.uploads.append(apps, id, piece(bytes('x'), 4)), wrong);
    const digest = digestOf(bytes('abc'));
    await assert.rejects(
      world.hosted.uploads.finish(apps, id, digest, piece(bytes('x'), 0)),
      wrong,
    );
    await world.hosted.uploads.finish(apps, id, digest);
    assert.equal((await read(world, apps, digest)).toString(), 'abc');
  });

  test('more or less than announced is refused, and only what was announced is kept', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    const more = { body: chunks(bytes('abcd')), size: 3 };
    await assert.rejects(world.hosted.uploads.append(apps, id, more), code('SIZE_INVALID', 400));
    const less = { body: chunks(bytes('de')), size: 3 };
    await assert.rejects(world.hosted.uploads.append(apps, id, less), code('SIZE_INVALID', 400));
    assert.equal((await world.hosted.uploads.status(apps, id)).offset, 5);
    await world.hosted.uploads.finish(apps, id, digestOf(bytes('abcde')));
  });

  test('wrong content ends the upload, and nothing of it is there', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    const digest = digestOf(bytes('right'));
    const wrong = world.hosted.uploads.finish(apps, id, digest, piece(bytes('wrong')));
    await assert.rejects(wrong, code('DIGEST_INVALID', 400));
    await assert.rejects(world.hosted.uploads.status(apps, id), code('BLOB_UPLOAD_UNKNOWN'));
    const whole = world.hosted.uploads.whole(apps, digest, piece(bytes('wrong')));
    await assert.rejects(whole, code('DIGEST_INVALID'));
    await assert.rejects(world.hosted.blob(apps, digest), code('NAME_UNKNOWN'));
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('too much is refused with 413, announced or not, and the upload is gone', async (t) => {
    const world = await openWorld(await temporary(t), { maxSize: 10 });
    const endless = async function* () {
      for (;;) yield bytes('aaaa');
    };
    for (const one of [{ body: chunks(bytes('a')), size: 11 }, { body: endless() }]) {
      const { id } = await world.hosted.uploads.start(apps);
      await assert.rejects(world.hosted.uploads.append(apps, id, one), code('SIZE_INVALID', 413));
      await assert.rejects(world.hosted.uploads.status(apps, id), code('BLOB_UPLOAD_UNKNOWN'));
    }
    const exactly = bytes('0123456789');
    await world.hosted.uploads.whole(apps, digestOf(exactly), piece(exactly));
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('are known only in their repository, and only by a UUID', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    for (const [where, what] of [
      [other, id],
      [apps, id.toUpperCase()],
      [apps, '../../lock'],
      [apps, ''],
    ] as const) {
      await assert.rejects(world.hosted.uploads.status(where, what), code('BLOB_UPLOAD_UNKNOWN'));
      const append = world.hosted.uploads.append(where, what, piece(bytes('a')));
      await assert.rejects(append, code('BLOB_UPLOAD_UNKNOWN'));
      await assert.rejects(world.hosted.uploads.cancel(where, what), code('BLOB_UPLOAD_UNKNOWN'));
    }
  });

  test('requests for one upload run one after the other', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    const open = gate();
    const slow = async function* () {
      yield bytes('abc');
      await open.opened;
    };
    const first = world.hosted.uploads.append(apps, id, { body: slow(), from: 0 });
    const second = world.hosted.uploads.append(apps, id, piece(bytes('xyz'), 0));
    const third = world.hosted.uploads.append(apps, id, piece(bytes('def'), 3));
    const refused = assert.rejects(second, code('RANGE_INVALID'));
    open.open();
    await first;
    await refused;
    assert.equal((await third).offset, 6);
    await world.hosted.uploads.finish(apps, id, digestOf(bytes('abcdef')));
    const again = world.hosted.uploads.finish(apps, id, digestOf(bytes('abcdef')));
    await assert.rejects(again, code('BLOB_UPLOAD_UNKNOWN'));
  });

  /** What a client sends whose connection then says nothing, until it is cut. */
  const silent = (content: Uint8Array) => {
    const [sent, lost] = [gate(), gate()];
    const body = async function* () {
      yield content;
      sent.open();
      await lost.opened;
      throw new Error('cut');
    };
    return { sent: sent.opened, piece: { body: body(), cut: () => lost.open() } };
  };

  test('whoever goes on where a silent client stands takes over, and what that one wrote stays', async (t) => {
    const world = await openWorld(await temporary(t));
    const { uploads } = world.hosted;
    const { id } = await uploads.start(apps);
    const lost = silent(bytes('abc'));
    const first = assert.rejects(
      uploads.append(apps, id, { ...lost.piece, from: 0 }),
      /^Error: cut/,
    );
    await lost.sent;
    await reached(world, id, 3);
    assert.equal((await uploads.append(apps, id, piece(bytes('def'), 3))).offset, 6);
    await first;
    await uploads.finish(apps, id, digestOf(bytes('abcdef')));
  });

  test('whoever begins elsewhere is told at once where it stands, and takes nothing over', async (t) => {
    const world = await openWorld(await temporary(t));
    const { uploads } = world.hosted;
    const { id } = await uploads.start(apps);
    const [begun, open] = [gate(), gate()];
    const slow = async function* () {
      yield bytes('abc');
      begun.open();
      await open.opened;
      yield bytes('def');
    };
    const cut = () => assert.fail('it was cut');
    const writing = uploads.append(apps, id, { body: slow(), from: 0, cut });
    await begun.opened;
    await reached(world, id, 3);
    const told = (error: unknown) => {
      assert.deepEqual((error as { detail: unknown }).detail, { offset: 3 });
      return code('RANGE_INVALID', 416)(error);
    };
    for (const from of [0, 2, 4, 6]) {
      await assert.rejects(uploads.append(apps, id, piece(bytes('xyz'), from)), told);
      const digest = digestOf(bytes('xyz'));
      await assert.rejects(uploads.finish(apps, id, digest, piece(bytes('xyz'), from)), told);
    }
    open.open();
    assert.equal((await writing).offset, 6);
    await uploads.finish(apps, id, digestOf(bytes('abcdef')));
  });

  test('whoever closes takes over what is complete, and waits for what is not', async (t) => {
    const world = await openWorld(await temporary(t));
    const { uploads } = world.hosted;
    for (const [content, closing] of [
      ['abc', 'abc'],
      ['abcdef', 'ab'],
    ] as const) {
      const { id } = await uploads.start(apps);
      const lost = silent(bytes(closing));
      const [rest, open] = [gate(), gate()];
      const more = async function* () {
        yield bytes('ab');
        rest.open();
        await open.opened;
        yield bytes('cdef');
      };
      const complete = content === closing;
      const first = complete
        ? assert.rejects(uploads.append(apps, id, lost.piece), /^Error: cut/)
        : uploads.append(apps, id, { body: more(), cut: () => assert.fail('it was cut') });
      await (complete ? lost.sent : rest.opened);
      await reached(world, id, closing.length);
      const closed = uploads.finish(apps, id, digestOf(bytes(content)));
      open.open();
      await Promise.all([first, closed]);
      assert.equal((await read(world, apps, digestOf(bytes(content)))).toString(), content);
    }
  });

  test('many that all go on wherever it stands never mix their bytes', async (t) => {
    const world = await openWorld(await temporary(t));
    const { uploads } = world.hosted;
    const content = pattern(64 * 1024 + 5);
    const { id } = await uploads.start(apps);
    let takeovers = 0;
    const client = async (step: number): Promise<void> => {
      for (let round = 0; ; round += 1) {
        for (let wait = (step * round) % 23; wait > 0; wait -= 1) await turn();
        const { offset } = await uploads.status(apps, id);
        if (offset === content.length) return;
        const stop = new AbortController();
        const body = async function* () {
          for (let at = offset; at < Math.min(content.length, offset + 20 * step); at += step) {
            yield content.subarray(at, Math.min(at + step, content.length));
            await turn();
            stop.signal.throwIfAborted();
          }
        };
        const cut = () => {
          takeovers += 1;
          stop.abort(new Error('cut'));
        };
        await uploads
          .append(apps, id, { body: body(), from: offset, cut })
          .catch((error: Error) => {
            if (error.message !== 'cut') assert.ok(code('RANGE_INVALID')(error), String(error));
          });
      }
    };
    await Promise.all([11, 97, 128, 301, 512, 777].map((step) => client(step)));
    assert.ok(takeovers > 0);
    await uploads.finish(apps, id, digestOf(content));
    assert.ok((await read(world, apps, digestOf(content))).equals(content));
  });

  test('cancelled in the middle: the writer fails, and nothing stays', async (t) => {
    const world = await openWorld(await temporary(t));
    const { id } = await world.hosted.uploads.start(apps);
    const [begun, open] = [gate(), gate()];
    const slow = async function* () {
      yield bytes('abc');
      begun.open();
      await open.opened;
      yield bytes('def');
    };
    const digest = digestOf(bytes('abcdef'));
    const writing = world.hosted.uploads.finish(apps, id, digest, { body: slow() });
    const failed = assert.rejects(writing, code('BLOB_UPLOAD_UNKNOWN'));
    await begun.opened;
    await world.hosted.uploads.cancel(apps, id);
    open.open();
    await failed;
    await assert.rejects(world.hosted.blob(apps, digest), code('NAME_UNKNOWN'));
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('cancelled while a writer is just coming: the writer fails, and nothing stays', async (t) => {
    const folder = await temporary(t);
    const uploads = new SlowToOpen({ paths: new Paths(folder) });
    const world = await openWorld(folder, { uploads });
    const { id } = await world.hosted.uploads.start(apps);
    const writing = world.hosted.uploads.append(apps, id, piece(bytes('abc'), 0));
    const failed = assert.rejects(writing, code('BLOB_UPLOAD_UNKNOWN'));
    await uploads.opening.opened;
    await world.hosted.uploads.cancel(apps, id);
    uploads.go.open();
    await failed;
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('what nobody has touched for too long goes, what somebody writes stays', async (t) => {
    const world = await openWorld(await temporary(t), { expireAfter: HOUR });
    const [old, young, busy] = [
      await world.hosted.uploads.start(apps),
      await world.hosted.uploads.start(apps),
      await world.hosted.uploads.start(apps),
    ];
    const [begun, open] = [gate(), gate()];
    const slow = async function* () {
      begun.open();
      await open.opened;
      yield bytes('abc');
    };
    const writing = world.hosted.uploads.append(apps, busy.id, { body: slow() });
    await begun.opened;
    const past = (Date.now() - 2 * HOUR) / 1000;
    for (const name of await readdir(world.paths.uploads)) {
      if (!name.startsWith(young.id))
        await utimes(path.join(world.paths.uploads, name), past, past);
    }
    assert.equal(await world.hosted.expire(), 1);
    open.open();
    assert.equal((await writing).offset, 3);
    await assert.rejects(world.hosted.uploads.status(apps, old.id), code('BLOB_UPLOAD_UNKNOWN'));
    assert.equal((await world.hosted.uploads.status(apps, young.id)).offset, 0);
  });

  test('what is written by others than pushes stays while it is open, and goes when it was left', async (t) => {
    const folder = await temporary(t);
    const uploads = new UploadStore({ paths: new Paths(folder) });
    const ahead = () => Date.now() + 2 * HOUR;
    const world = await openWorld(folder, { expireAfter: HOUR, uploads, now: ahead });
    const content = bytes('a layer that comes slowly');
    {
      await using file = await uploads.create('taken-in.import');
      await file.hash('sha256');
      assert.equal(await world.hosted.expire(), 0);
      await file.write(content);
      await file.flush();
      await uploads.publish(file, digestOf(content));
    }
    {
      await using _left = await uploads.create('left.import');
    }
    assert.equal(await world.hosted.expire(), 1);
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('are over exactly when their time is, whether anybody has looked for old ones or not', async (t) => {
    const clock = { ahead: 0 };
    const now = () => Date.now() + clock.ahead;
    const world = await openWorld(await temporary(t), { expireAfter: HOUR, now });
    const { uploads } = world.hosted;
    const ids = await Promise.all([1, 2, 3, 4].map(async () => (await uploads.start(apps)).id));
    clock.ahead = HOUR - 60_000;
    for (const id of ids) assert.equal((await uploads.status(apps, id)).offset, 0);
    clock.ahead = HOUR + 1;
    const [one = '', two = '', three = '', four = ''] = ids;
    const over = code('BLOB_UPLOAD_UNKNOWN', 404);
    await assert.rejects(uploads.status(apps, one), over);
    await assert.rejects(uploads.append(apps, two, piece(bytes('late'), 0)), over);
    await assert.rejects(uploads.finish(apps, three, digestOf(bytes(''))), over);
    await assert.rejects(uploads.cancel(apps, four), over);
    await assert.rejects(world.hosted.blob(apps, digestOf(bytes(''))), code('NAME_UNKNOWN'));
    assert.equal(await world.hosted.expire(), 4);
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });

  test('whose time is over while somebody writes go on', async (t) => {
    const clock = { ahead: 0 };
    const now = () => Date.now() + clock.ahead;
    const world = await openWorld(await temporary(t), { expireAfter: HOUR, now });
    const { id } = await world.hosted.uploads.start(apps);
    const [begun, open] = [gate(), gate()];
    const slow = async function* () {
      begun.open();
      await open.opened;
      yield bytes('abc');
    };
    const writing = world.hosted.uploads.append(apps, id, { body: slow() });
    await begun.opened;
    clock.ahead = 2 * HOUR;
    assert.equal((await world.hosted.uploads.status(apps, id)).offset, 0);
    open.open();
    assert.equal((await writing).offset, 3);
  });

  test('a full disk keeps what it has, and the upload goes on when there is room', async (t) => {
    const folder = await temporary(t);
    const uploads = new FullDisk({ paths: new Paths(folder) });
    const world = await openWorld(folder, { uploads });
    const { id } = await world.hosted.uploads.start(apps);
    await world.hosted.uploads.append(apps, id, piece(bytes('before ')));
    uploads.full = true;
    const refused = world.hosted.uploads.append(apps, id, piece(bytes('lost')));
    await assert.rejects(refused, code('STORAGE_UNAVAILABLE', 503));
    assert.equal((await world.hosted.uploads.status(apps, id)).offset, 7);
    uploads.full = false;
    const digest = digestOf(bytes('before after'));
    await world.hosted.uploads.finish(apps, id, digest, piece(bytes('after'), 7));
    assert.equal((await read(world, apps, digest)).toString(), 'before after');
  });

  test('large ones in small pieces come out as they went in', async (t) => {
    const world = await openWorld(await temporary(t));
    const content = pattern(5 * MiB + 17);
    const small = async function* () {
      for (let from = 0; from < content.length; from += 10_007) {
        yield content.subarray(from, from + 10_007);
      }
    };
    const digest = digestOf(content);
    await world.hosted.uploads.whole(apps, digest, { body: small(), size: content.length });
    assert.ok((await read(world, apps, digest)).equals(content));
  });

  test('the same blob pushed by many at once', async (t) => {
    const world = await openWorld(await temporary(t));
    const content = bytes('shared');
    const repositories = Array.from({ length: 20 }, (_, index) => repository(`apps/r${index % 5}`));
    await Promise.all(repositories.map((one) => pushBlob(world, one, content)));
    for (const one of repositories) {
      assert.equal((await read(world, one, digestOf(content))).toString(), 'shared');
    }
    assert.deepEqual(await readdir(world.paths.uploads), []);
  });
});
