import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, start } from './process.ts';
import { REMOVE } from './scratch.ts';
import type { Present } from './tool.ts';

/** containerd with a root, a state and a socket of its own; no service of the system is touched. */
export interface Containerd extends AsyncDisposable {
  /** Runs `ctr` against it. */
  ctr(...args: string[]): Promise<string>;
  /** `ctr` up to its own verbs, for what is to go on in the background. */
  readonly command: readonly [string, ...string[]];
  /** Where it keeps blobs by digest. */
  readonly blobs: string;
}

export interface ContainerdOptions {
  readonly tool: Present;
  /** Created; everything it has lives here. */
  readonly folder: string;
  /** Settings of its transfer service, as TOML lines. */
  readonly transfer?: string;
}

const UNUSED = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.runtime',
  'io.containerd.cri.v1.images',
  'io.containerd.nri.v1.nri',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
];

export async function containerd(options: ContainerdOptions): Promise<Containerd> {
  const { folder, tool } = options;
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'config.toml');
  const socket = join(folder, 'c.sock');
  await writeFile(config, await toml(options, socket));
  const env = { PATH: tool.path, TMPDIR: folder };
  const [command, ...first] = tool.command('containerd', folder);
  const process = await start(command, [...first, '--config', config], { env });
  await process.until(/containerd successfully booted/);
  const [ctr, ...arguments_] = tool.command('ctr', folder);
  const client = [ctr, ...arguments_, '--address', socket] as const;
  return {
    ctr: (...args) => run(client[0], [...client.slice(1), ...args], { env }),
    command: [...client],
    blobs: join(folder, 'root/io.containerd.content.v1.content/blobs/sha256'),
    [Symbol.asyncDispose]: async () => {
      await process.stop('SIGTERM');
      await endShims(folder);
      await rm(folder, REMOVE);
    },
  };
}

async function toml(
  { folder, tool, transfer }: ContainerdOptions,
  socket: string,
): Promise<string> {
  const [command, ...first] = tool.command('containerd', folder);
  const { major } = (await run(command, [...first, '--version'])).match(/ v?(?<major>\d+)\./)
    ?.groups ?? { major: '1' };
  return [
    `version = ${major === '1' ? 2 : 3}`,
    `root = "${join(folder, 'root')}"`,
    `state = "${join(folder, 'state')}"`,
    `disabled_plugins = ${JSON.stringify(UNUSED)}`,
    `[grpc]\n  address = "${socket}"`,
    ...(major === '1'
      ? []
      : ['[plugins."io.containerd.transfer.v1.local"]', transfer ?? '', UNPACK]),
  ].join('\n');
}

const UNPACK = `[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}"
  snapshotter = "native"`;

/** A shim outlives containerd by design; ours are those that were given our folder. */
async function endShims(folder: string): Promise<void> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('containerd-shim') && line.includes(folder))
      process.kill(Number(pid), 'SIGKILL');
  }
}
