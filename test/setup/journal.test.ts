import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { Journal } from '../../src/setup/journal.ts';
import { RootFolder } from '../../src/setup/root-folder.ts';
import { machine, type Machine } from './world.ts';

const FOLDER = '/etc/client/.layover';
const THERE = '/etc/client/there.conf';
const NEW = '/etc/client/deep/er/new.conf';

/** Breaks off before one of its changes, as a process does that is killed. */
class Dying extends RootFolder {
  #left: number;

  constructor(folder: string, left: number) {
    super(folder);
    this.#left = left;
  }

  #spend(): void {
    if (this.#left === 0) throw new Error('killed');
    this.#left -= 1;
  }

  override async write(...args: Parameters<RootFolder['write']>): Promise<void> {
    this.#spend();
    await super.write(...args);
  }

  override async remove(name: string): Promise<void> {
    this.#spend();
    await super.remove(name);
  }

  override async removeEmpty(name: string): Promise<void> {
    this.#spend();
    await super.removeEmpty(name);
  }
}

async function setUp(root: RootFolder): Promise<void> {
  const journal = new Journal(root, FOLDER);
  using _lock = await journal.begin();
  await journal.write(THERE, Buffer.from('changed\n'));
  await journal.write(NEW, Buffer.from('new\n'));
}

async function undo(root: RootFolder): Promise<void> {
  const journal = new Journal(root, FOLDER);
  using _lock = await journal.begin();
  for (const entry of await journal.entries()) await journal.restore(entry);
  await journal.close();
}

/** Whether a run was broken off. */
async function dies(task: () => Promise<void>): Promise<boolean> {
  try {
    await task();
    return false;
  } catch (error) {
    assert.match(String(error), /killed/);
    return true;
  }
}

const contents = async (here: Machine): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    Object.entries(await here.files()).filter(([name]) => !name.includes('.layover')),
  );

suite('whenever it is killed', () => {
  test('what was changed can be undone, or done again', async () => {
    let dead = true;
    for (let steps = 0; dead; steps += 1) {
      await using here = await machine();
      await here.write(THERE, 'there\n');
      const before = await here.files();
      dead = await dies(() => setUp(new Dying(here.root, steps)));
      const root = new RootFolder(here.root);
      const text = await here.text(THERE);
      assert.ok(text === 'there\n' || text === 'changed\n', text);
      if (steps % 2 === 0) await setUp(root);
      await undo(root);
      assert.deepEqual(await here.files(), before, `killed before change ${steps}`);
    }
  });

  test('what was being undone can be undone', async () => {
    let dead = true;
    for (let steps = 0; dead; steps += 1) {
      await using here = await machine();
      await here.write(THERE, 'there\n');
      const before = await contents(here);
      const root = new RootFolder(here.root);
      await setUp(root);
      dead = await dies(() => undo(new Dying(here.root, steps)));
      await undo(root);
      const left = await contents(here);
      // A folder that was made may stay, if nothing is left that knows of it.
      const files = Object.entries(left).filter(([, text]) => !text.endsWith(' /'));
      const expected = Object.entries(before).filter(([, text]) => !text.endsWith(' /'));
      assert.deepEqual(files, expected, `killed before change ${steps}`);
    }
  });
});

test('of processes that change the same files each has its turn', async () => {
  await using here = await machine();
  await here.write(THERE, 'there\n');
  const before = await here.files();
  const script = `
    import { Journal } from '${new URL('../../src/setup/journal.ts', import.meta.url).href}';
    import { RootFolder } from '${new URL('../../src/setup/root-folder.ts', import.meta.url).href}';
    const journal = new Journal(new RootFolder(process.argv[1]), '${FOLDER}');
    using lock = await journal.begin();
    await journal.write('${THERE}', Buffer.from(process.argv[2]));
    await journal.write('/etc/client/' + process.argv[2], Buffer.from('new'));`;
  const node = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
  const ran = ['a', 'b', 'c', 'd'].map(async (name) => {
    const child = spawn(process.execPath, [...node, '--eval', script, here.root, name], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [code] = (await once(child, 'exit')) as [number];
    return code;
  });
  assert.deepEqual(await Promise.all(ran), [0, 0, 0, 0]);
  const entries = await new Journal(new RootFolder(here.root), FOLDER).entries();
  assert.equal(entries.length, 5);
  await undo(new RootFolder(here.root));
  assert.deepEqual(await here.files(), before);
});
