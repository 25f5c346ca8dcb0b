import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pseudoTerminal, withoutTerminals } from '../fixtures/pseudo-terminal.ts';
import { putImage, world } from './compat/world.ts';
import { layerOf } from '../fixtures/layer-builder.ts';

const bin = (name: string): string => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url));

const USER = 'me';
const PASSWORD = 'open sesame';

for (const [says, line, questions, end] of [
  [
    'layover login',
    (host: string) => [bin('layover'), 'login', host],
    ['Username: ', 'Password: '],
    'logged in to ',
  ],
  [
    'layover login --user',
    (host: string) => [bin('layover'), 'login', '--user', USER, host],
    ['Password: '],
    'logged in to ',
  ],
  [
    'layover tags --user',
    (host: string) => [bin('layover'), 'tags', '--user', USER, `${host}/team/app`],
    ['Password: '],
    'v1\r\n',
  ],
  [
    'crpy login',
    (host: string) => [bin('crpy'), 'login', `http://${host}`],
    ['Username: ', 'Password: '],
    'Authenticated at ',
  ],
] as const) {
  for (const way of questions.length === 2 ? (['typed', 'pasted'] as const) : ['typed']) {
    test(
      `${says} at a terminal asks for the password and does not show it, ${way}`,
      { skip: withoutTerminals(), timeout: 30_000 },
      async () => {
        await using here = await world({
          auth: { kind: 'basic', username: USER, password: PASSWORD },
        });
        putImage(here.registry, 'team/app', 'v1', [layerOf([])]);
        const env = { PATH: process.env['PATH'] ?? '', HOME: here.at('.'), TERM: 'xterm' };
        await using terminal = pseudoTerminal(line(here.host), { env, cwd: here.at('.') });
        const answers = questions.length === 2 ? [USER, PASSWORD] : [PASSWORD];
        for (const [index, question] of questions.entries()) {
          await terminal.shows(question);
          if (way === 'typed') terminal.type(`${answers[index]}\r`);
          else if (index === 0) terminal.type(answers.map((answer) => `${answer}\r`).join(''));
        }
        await terminal.shows(end);
        assert.equal(await terminal.ended, 0, terminal.shown);
        assert.ok(!/sesame/.test(terminal.shown), terminal.shown);
      },
    );
  }
}

test(
  'Ctrl-C at the question for a password ends with 130, and a line',
  { skip: withoutTerminals(), timeout: 30_000 },
  async () => {
    await using here = await world({
      auth: { kind: 'basic', username: USER, password: PASSWORD },
    });
    const env = { PATH: process.env['PATH'] ?? '', HOME: here.at('.'), TERM: 'xterm' };
    const command = [bin('layover'), 'login', '--user', USER, here.host];
    await using terminal = pseudoTerminal(command, { env, cwd: here.at('.') });
    await terminal.shows('Password: ');
    terminal.type('open\u0003');
    assert.equal(await terminal.ended, 130, terminal.shown);
    assert.equal(terminal.shown, 'Password: \r\nlayover: interrupted\r\n');
  },
);
