import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Output } from '../../src/cli/output.ts';
import { progress } from '../../src/cli/progress.ts';

function recorded(watched: 'yes' | 'no') {
  const told: string[] = [];
  const output: Output = {
    out: () => assert.fail('progress is no data'),
    bytes: () => assert.fail('progress is no data'),
    error: (text) => void told.push(text),
    watched,
    columns: 60,
  };
  return { told, output };
}

/** What a terminal shows after the text: lines, with the cursor's ways up and clearing obeyed. */
function screen(text: string): readonly string[] {
  const lines = [''];
  let row = 0;
  const readable = text.replaceAll('\u001b[', '\f');
  for (const [part] of readable.matchAll(/\f\d*[AJ]|\n|\r|[^\f\n\r]+/g)) {
    const up = /^\f(\d+)A$/.exec(part)?.[1];
    if (up !== undefined) row -= Number(up);
    else if (part === '\fJ') lines.splice(row, Infinity, '');
    else if (part === '\n') lines[(row += 1)] ??= '';
    else if (part !== '\r') lines[row] = part;
  }
  return lines;
}

test('on a terminal bars are drawn below the lines that stay, and none is left behind', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const { told, output } = recorded('yes');
    let now = 0;
    {
      using shown = progress({ output, now: () => now });
      const [a, b] = [shown.begin('a', 2048), shown.begin('b', undefined)];
      a.add(1024);
      b.add(10);
      now = 1000;
      mock.timers.tick(100);
      assert.deepEqual(screen(told.join('')), [
        `a [${'='.repeat(12)}${' '.repeat(12)}] 1.0 KiB of 2.0 KiB 1.0 KiB/s`,
        `b [${' '.repeat(24)}] 10 B 10 B/s`,
        '',
      ]);
      a.end('done');
      assert.deepEqual(screen(told.join('')).slice(0, 1), ['a: done']);
      assert.equal(screen(told.join('')).length, 3);
    }
    assert.deepEqual(screen(told.join('')), ['a: done', '']);
  } finally {
    mock.timers.reset();
  }
});

test('a line never is longer than the terminal is wide', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const { told, output } = recorded('yes');
    using shown = progress({ output, now: () => 0 });
    shown.begin('x'.repeat(100), 1);
    mock.timers.tick(100);
    assert.equal(screen(told.join(''))[0]?.length, 59);
  } finally {
    mock.timers.reset();
  }
});

test('where nobody watches there are plain lines: one an end, one every ten seconds', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const { told, output } = recorded('no');
    let now = 0;
    using shown = progress({ output, now: () => now });
    const [a, b] = [shown.begin('a', 4096), shown.begin('b', 4096)];
    a.add(3072);
    b.add(1024);
    now = 10_000;
    mock.timers.tick(10_000);
    b.end('was there');
    shown.note('saved');
    assert.deepEqual(told, ['a, b: 4.0 KiB of 8.0 KiB 410 B/s\n', 'b: was there\n', 'saved\n']);
  } finally {
    mock.timers.reset();
  }
});
