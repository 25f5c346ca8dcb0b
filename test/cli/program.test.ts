import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Actions, Choices, Verified, VerifyChoices } from '../../src/cli/actions.ts';
import { VERBS } from '../../src/cli/verbs.ts';
import { formatBytes } from '../../src/cli/format-bytes.ts';
import { load } from '../../src/config/load.ts';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { noActions } from './no-actions.ts';
import { typed } from './typed.ts';

const actions: Actions = {
  ...noActions,
  serve: async () => {},
  health: async () => undefined,
  check: async () => [],
  schema: () => ({ type: 'object' }),
  show: async () => 'drain: 30s  # default\n',
};

function ran(line: readonly string[], given: Partial<Actions> = {}, watched: 'yes' | 'no' = 'no') {
  return typed(line, { actions: { ...actions, ...given }, watched });
}

const blob = (text: string, outcome: Verified['outcome']): Verified => ({
  digest: digestOf(Buffer.from(text)),
  outcome,
  size: 1_500_000,
});

test('the version is data', async () => {
  assert.deepEqual(await ran(['--version']), { code: 0, out: 'layover 1.2.3\n', error: '' });
});

test('help of every verb has an example that names the verb, and is data', async () => {
  for (const verb of [
    [],
    ...VERBS.map(({ name }) => [name]),
    ['settings', 'check'],
    ['settings', 'schema'],
    ['settings', 'show'],
  ]) {
    const { code, out, error } = await ran([...verb, '--help']);
    assert.equal(code, 0);
    assert.equal(error, '');
    assert.match(out.split(/Examples?:\n/)[1] ?? '', new RegExp(`layover ${verb.join(' ')}`));
  }
});

for (const [line, same] of [
  [['help'], []],
  [['help', 'help'], []],
  [['help', 'pull'], ['pull']],
  [['help', 'settings'], ['settings']],
  [
    ['help', 'settings', 'check'],
    ['settings', 'check'],
  ],
  [['settings', 'help'], ['settings']],
  [
    ['settings', 'help', 'check'],
    ['settings', 'check'],
  ],
] as const) {
  test(`${line.join(' ')} is the help of ${same.join(' ') || 'all'}`, async () => {
    const help = await ran([...same, '--help']);
    assert.match(help.out, /^Usage: /);
    assert.deepEqual(await ran(line), help);
  });
}

for (const [line, says] of [
  [[], /Usage: layover/],
  [['sreve'], /unknown command 'sreve'\n\(Did you mean serve\?\)/],
  [['serve', '--lisen', 'x'], /unknown option '--lisen'\n\(Did you mean --listen\?\)/],
  [['serve', '--listen'], /argument missing/],
  [['serve', 'extra'], /too many arguments/],
  [['settings'], /Usage: layover settings/],
  [['settings', 'check', 'a', 'b'], /too many arguments/],
  [['verify', '--offline'], /unknown option '--offline'/],
  [['help', 'sreve'], /^layover: unknown command 'sreve'\n\(Did you mean serve\?\)/],
  [['sreve', '--help'], /^layover: unknown command 'sreve'\n\(Did you mean serve\?\)/],
  [['help', 'settings', 'chek'], /^layover: unknown command 'chek'\n\(Did you mean check\?\)/],
  [['settings', 'help', 'chek'], /^layover: unknown command 'chek'\n\(Did you mean check\?\)/],
] as const) {
  test(`usage: ${JSON.stringify(line)} is refused with exit code 2 and no data`, async () => {
    const { code, out, error } = await ran(line);
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.match(error, says);
  });
}

test('serve hands on every flag with the key it stands for', async () => {
  const seen: Choices[] = [];
  const { code } = await ran(
    [
      'serve',
      '--config',
      'c.yaml',
      '--listen',
      ':80',
      '--storage',
      '/s',
      '--default-upstream',
      'none',
      '--offline',
      '--log-level',
      'debug',
    ],
    { serve: async ({ config, overrides }) => void seen.push({ config, overrides }) },
  );
  assert.equal(code, 0);
  assert.deepEqual(seen, [
    {
      config: 'c.yaml',
      overrides: [
        { flag: '--listen', key: 'listen', value: ':80' },
        { flag: '--storage', key: 'storage.path', value: '/s' },
        { flag: '--default-upstream', key: 'defaultUpstream', value: 'none' },
        { flag: '--offline', key: 'offline', value: true },
        { flag: '--log-level', key: 'log.level', value: 'debug' },
      ],
    },
  ]);
  const { config } = load({ environment: {}, overrides: seen[0]!.overrides });
  assert.deepEqual(
    [
      config.listen.port,
      config.storage.path,
      config.defaultUpstream,
      config.offline,
      config.log.level,
    ],
    [80, '/s', undefined, true, 'debug'],
  );
});

test('without flags nothing is overridden', async () => {
  const seen: Choices[] = [];
  await ran(['serve'], {
    serve: async ({ config, overrides }) => void seen.push({ config, overrides }),
  });
  assert.deepEqual(seen, [{ config: undefined, overrides: [] }]);
});

test('a failure is told with its causes and without a stack', async () => {
  const cause = Object.assign(new Error('EACCES: /data'), { code: 'EACCES' });
  const failure = new RegistryError('STORAGE_UNAVAILABLE', 'cannot open the store', { cause });
  const { code, out, error } = await ran(['serve'], { serve: () => Promise.reject(failure) });
  assert.deepEqual([code, out], [1, '']);
  assert.equal(error, 'layover: cannot open the store: EACCES: /data\n');
});

test('a defect is told with its stack', async () => {
  const { code, error } = await ran(['serve'], {
    serve: () => Promise.reject(new TypeError('oops')),
  });
  assert.equal(code, 1);
  assert.match(error, /^layover: TypeError: oops\n {4}at /);
});

test('verify prints what is wrong as data and the sum beside it', async () => {
  const wrong = blob('b', 'wrong-digest');
  const { code, out, error } = await ran(['verify'], {
    verify: async function* () {
      yield blob('a', 'ok');
      yield wrong;
    },
  });
  assert.equal(code, 1);
  assert.equal(out, `${wrong.digest} wrong-digest 1500000\n`);
  assert.equal(error, 'layover: 2 blobs, 2.9 MiB verified, 1 wrong\n');
});

test('verify of a store that is right says so, and prints no data', async () => {
  const { code, out, error } = await ran(['verify'], {
    verify: async function* () {
      yield blob('a', 'ok');
    },
  });
  assert.deepEqual(
    { code, out, error },
    { code: 0, out: '', error: '1 blob, 1.4 MiB verified, all right\n' },
  );
});

test('verify --json prints an object a line for everything', async () => {
  const found = [blob('a', 'ok'), blob('b', 'wrong-digest')];
  const { code, out } = await ran(['verify', '--json'], {
    verify: async function* () {
      yield* found;
    },
  });
  assert.equal(code, 1);
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    found,
  );
});

test('verify is limited only where a rate is given', async () => {
  const seen: VerifyChoices[] = [];
  const verify = (choices: VerifyChoices) => {
    seen.push(choices);
    return actions.verify(choices);
  };
  await ran(['verify', '--storage', '/s'], { verify });
  await ran(['verify', '--rate', '50MiB'], { verify });
  assert.deepEqual(seen, [
    {
      config: undefined,
      overrides: [{ flag: '--storage', key: 'storage.path', value: '/s' }],
      pace: 'full',
    },
    {
      config: undefined,
      overrides: [{ flag: '--rate', key: 'storage.verifyRate', value: '50MiB' }],
      pace: 'limited',
    },
  ]);
});

test('a store that cannot be read to its end fails verify, after what was found', async () => {
  const wrong = blob('b', 'wrong-digest');
  const { code, out, error } = await ran(['verify'], {
    verify: async function* () {
      yield wrong;
      throw new RegistryError('STORAGE_UNAVAILABLE', 'the disk is gone');
    },
  });
  assert.equal(code, 1);
  assert.equal(out, `${wrong.digest} wrong-digest 1500000\n`);
  assert.equal(error, 'layover: the disk is gone\n');
});

test('progress is drawn for people only, and wiped', async () => {
  const verify = async function* () {
    yield blob('a', 'ok');
  };
  assert.ok(!(await ran(['verify'], { verify })).error.includes('\r'));
  const { error } = await ran(['verify'], { verify }, 'yes');
  assert.ok(error.endsWith('\r\u001b[K1 blob, 1.4 MiB verified, all right\n'));
});

test('settings check prints every fault and counts them', async () => {
  const seen: Choices[] = [];
  const check = async (choices: Choices) => {
    seen.push(choices);
    return ['c.yaml:1:1 a: b', 'c.yaml:2:1 c: d'];
  };
  const bad = await ran(['settings', 'check', 'c.yaml'], { check });
  assert.deepEqual(bad, {
    code: 1,
    out: 'c.yaml:1:1 a: b\nc.yaml:2:1 c: d\n',
    error: 'layover: 2 faults\n',
  });
  await ran(['settings', 'check', '--files', 'c.yaml'], { check });
  assert.deepEqual(seen, [
    { config: 'c.yaml', overrides: [], named: 'unchecked' },
    { config: 'c.yaml', overrides: [], named: 'checked' },
  ]);
  assert.deepEqual(await ran(['settings', 'check']), { code: 0, out: '', error: 'no faults\n' });
});

test('settings schema and settings show print data', async () => {
  assert.deepEqual(JSON.parse((await ran(['settings', 'schema'])).out), { type: 'object' });
  const shown = await ran(['settings', 'show']);
  assert.deepEqual(shown, { code: 0, out: 'drain: 30s  # default\n', error: '' });
});

test('bytes are written with three figures', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_500_000, '1.4 MiB'],
    [200 * 2 ** 20, '200 MiB'],
    [5 * 2 ** 40, '5.0 TiB'],
    [5000 * 2 ** 40, '5000 TiB'],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
  }
});
