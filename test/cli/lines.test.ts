import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { terminalInput } from '../../src/cli/input.ts';
import { Lines } from '../../src/cli/lines.ts';

/** Somebody at a terminal, which takes its time for everything that is written to it. */
function sitting({ columns }: { readonly columns?: number } = {}) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode() {} });
  const controller = new AbortController();
  let shown = '';
  const prompts = new Writable({
    write(chunk, _encoding, done) {
      shown += String(chunk);
      setImmediate(done);
    },
  });
  const lines = new Lines({
    stdin,
    prompts: Object.assign(prompts, { columns }),
    signal: () => controller.signal,
    interrupt: () => controller.abort(),
  });
  return {
    lines,
    type: (text: string) => void stdin.write(text),
    leave: () => void stdin.end(),
    /** What is on the screen by now, without what moves the cursor. */
    async shown() {
      await new Promise<void>((resolve) => prompts.write('', () => resolve()));
      return stripVTControlCharacters(shown).replaceAll('\r', '');
    },
    /** The column, from 1, that the cursor was last put into. */
    column: () => Number(/^\[(\d+)G/.exec(shown.split('\u001b').at(-1) ?? '')?.[1]),
    [Symbol.dispose]: () => lines.close(),
  };
}

test('a hidden question is seen, and its answer is not', async () => {
  using at = sitting();
  const user = at.lines.next('Username: ', 'shown');
  at.type('me\r');
  assert.equal(await user, 'me');
  const password = at.lines.next('Password: ', 'hidden');
  assert.equal(await at.shown(), 'Username: me\nPassword: ');
  at.type('secrex\u007ft\r');
  assert.equal(await password, 'secret');
  const again = at.lines.next('Again: ', 'shown');
  at.type('yes\r');
  assert.equal(await again, 'yes');
  assert.equal(await at.shown(), 'Username: me\nPassword: \nAgain: yes\n');
});

test('lines that are pasted are shown with their questions, and hidden ones never', async () => {
  using at = sitting();
  const user = at.lines.next('Username: ', 'shown');
  at.type('me\rsecret\rhere\rmo');
  assert.equal(await user, 'me');
  assert.equal(await at.shown(), 'Username: me\n');
  assert.equal(await at.lines.next('Password: ', 'hidden'), 'secret');
  assert.equal(await at.lines.next('Where: ', 'shown'), 'here');
  assert.equal(await at.shown(), 'Username: me\nPassword: \nWhere: here\n');
  const more = at.lines.next('More: ', 'shown');
  assert.match(await at.shown(), /\nMore: mo$/);
  at.type('re\r');
  assert.equal(await more, 'more');
  assert.equal(await at.shown(), 'Username: me\nPassword: \nWhere: here\nMore: more\n');
});

test('the beginning of what is hidden is not shown either', async () => {
  using at = sitting();
  const user = at.lines.next('Username: ', 'shown');
  at.type('me\rsec');
  assert.equal(await user, 'me');
  const password = at.lines.next('Password: ', 'hidden');
  at.type('ret\r');
  assert.equal(await password, 'secret');
  assert.equal(await at.shown(), 'Username: me\nPassword: \n');
});

test('the cursor stands behind a question that is longer than a line', async () => {
  for (const [columns, column] of [
    [20, 12],
    [undefined, 32],
    [0, 32],
  ] as const) {
    using at = sitting({ ...(columns !== undefined && { columns }) });
    const answer = at.lines.next(`${'?'.repeat(30)} `, 'shown');
    await at.shown();
    assert.equal(at.column(), column);
    at.type('y\r');
    assert.equal(await answer, 'y');
  }
});

test('an interruption and the end of what is typed end the line of the question', async () => {
  for (const typed of ['shown', 'hidden'] as const) {
    using at = sitting();
    const interrupted = at.lines.next('Who? ', typed);
    at.type('\u0003');
    await assert.rejects(interrupted, { name: 'AbortError' });
    assert.equal(await at.shown(), 'Who? \n');
    using other = sitting();
    const left = other.lines.next('Who? ', typed);
    other.type('\u0004');
    assert.equal(await left, undefined);
    assert.equal(await other.lines.next('And? ', typed), undefined);
    assert.equal(await other.shown(), 'Who? \nAnd? \n');
  }
});

test('from a pipe every question is a line, those behind the last line too', async () => {
  let shown = '';
  const prompts = new Writable({
    write(chunk, _encoding, done) {
      shown += String(chunk);
      done();
    },
  });
  const lines = new Lines({
    stdin: Readable.from([Buffer.from('1\n2\nla'), Buffer.from('st')]),
    prompts,
    signal: () => new AbortController().signal,
    interrupt() {},
  });
  const answers: (string | undefined)[] = [];
  for (const question of ['a? ', 'b? ', 'c? ', 'd? ']) {
    answers.push(await lines.next(question, 'shown'));
  }
  lines.close();
  assert.deepEqual(answers, ['1', '2', 'last', undefined]);
  assert.equal(shown, 'a? \nb? \nc? \nd? \n');
});

test('back from the background a question is still there', async () => {
  using at = sitting();
  const name = at.lines.next('Name: ', 'shown');
  process.emit('SIGCONT');
  at.type('me\r');
  assert.equal(await name, 'me');
});

test('a question after all of the input has been read has no answer', async () => {
  const stdin = Object.assign(Readable.from(['all of it']), { isTTY: true });
  let shown = '';
  const prompts = new Writable({
    write(chunk, _encoding, done) {
      shown += String(chunk);
      done();
    },
  });
  const signal = () => new AbortController().signal;
  using input = terminalInput({ stdin, prompts, signal, interrupt: () => {} });
  assert.equal(await input.text(), 'all of it');
  assert.equal(await input.line('Password: ', 'hidden'), undefined);
  assert.equal(shown, 'Password: \n');
});
