import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandsUnder } from '../test/fixtures/documents.ts';
import { noPrivateEtc } from './lib/private-etc.ts';
import { run, start } from './lib/process.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { kitFolder, missingKit } from './lib/tool.ts';

// The commands of the documents, to the letter, in a clone as a new user has it: with what is committed.
const ROOT = join(import.meta.dirname, '..');
const KITS = ['helm', 'oras'] as const;
let folder: Scratch;
let clone: string;

before(async () => {
  folder = await scratch();
  clone = folder.at('layover');
  await run('git', ['clone', '--quiet', '--no-local', ROOT, clone]);
});
after(() => folder[Symbol.asyncDispose]());

test('npm ci && npm start serves, and ends when it is told to', async () => {
  const [text = ''] = await commandsUnder('README.md', 'Start it');
  await using server = await start('sh', ['-euc', text], {
    cwd: clone,
    env: { LAYOVER_LISTEN: '127.0.0.1:0', LAYOVER_ADMIN_LISTEN: '127.0.0.1:0' },
  });
  await server.until(/"msg":"serving"/);
  server.kill('SIGTERM');
  await server.until(/"msg":"stopped"/);
});

/** A machine of its own as far as addresses and the files of clients go, where port 8080 is free. */
const MACHINE = `
ip link set lo up
cp -a /etc "$1"
mount --bind "$1" /etc
for folder in /run /var/lib/containerd /var/lib/containers; do
  mkdir -p "$folder"
  mount -t tmpfs tmpfs "$folder"
done
shift
exec "$@"
`;

const missing = KITS.map((kit) => missingKit(kit)).find((why) => why !== undefined);

test(
  'what README.md says to type does what it says',
  { skip: noPrivateEtc || missing },
  async () => {
    const apart = [
      '--mount',
      '--net',
      '--propagation',
      'private',
      '--',
      'sh',
      '-euc',
      MACHINE,
      'sh',
    ];
    const kits = KITS.map((kit) => join(kitFolder(kit), 'usr/bin'));
    const program = join(import.meta.dirname, 'lib/documented.ts');
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', program];
    await run('unshare', [...apart, folder.at('etc'), ...node], {
      cwd: clone,
      env: {
        PATH: [join(clone, 'bin'), ...kits, process.env['PATH']].join(':'),
        HOME: folder.at('home'),
      },
    });
  },
);
