import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pullByCri } from '../../src/setup/doctor/cri.ts';
import type { PrivateEtc } from './private-etc.ts';
import { REMOVE } from './scratch.ts';
import { until } from './until.ts';
import type { Present } from './tool.ts';

/** containerd as a node of Kubernetes has it: it pulls by its own configuration, in `/etc/containerd`. */
export interface KubernetesContainerd extends AsyncDisposable {
  readonly socket: string;
  /** As the kubelet has it pull. Rejects with what containerd said. */
  pull(image: string): Promise<void>;
  /** Runs `ctr` against it. */
  ctr(...args: string[]): Promise<string>;
}

export interface Node {
  readonly tool: Present;
  readonly etc: PrivateEtc;
  /** Created; what containerd keeps lives here. */
  readonly folder: string;
}

/** Writes a configuration that says nothing about registries. */
export async function writeConfig({ tool, etc, folder }: Node, rest = ''): Promise<void> {
  const file = etc.at('containerd/config.toml');
  await mkdir(dirname(file), { recursive: true });
  const old = tool.major === 1;
  const snapshotter = old
    ? '[plugins."io.containerd.grpc.v1.cri".containerd]\n  snapshotter = "native"'
    : '[plugins."io.containerd.cri.v1.images"]\n  snapshotter = "native"';
  const platform = `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;
  const lines = [
    `version = ${old ? 2 : 3}`,
    `root = "${join(folder, 'root')}"`,
    `state = "${join(folder, 'state')}"`,
    `[grpc]\n  address = "${socketOf(folder)}"`,
    '[plugins."io.containerd.nri.v1.nri"]\n  disable = true',
    snapshotter,
    ...(old
      ? []
      : [
          `[[plugins."io.containerd.transfer.v1.local".unpack_config]]\n  platform = "${platform}"\n  snapshotter = "native"`,
        ]),
    rest,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
}

/** Starts it with the configuration that is there. */
export async function kubernetesContainerd(node: Node): Promise<KubernetesContainerd> {
  const { tool, etc, folder } = node;
  await mkdir(folder, { recursive: true });
  const env = { PATH: tool.path, TMPDIR: folder };
  const [command, ...first] = tool.command('containerd', folder);
  const daemon = await etc.start(
    command,
    [...first, '--config', '/etc/containerd/config.toml'],
    env,
  );
  await daemon.until(/containerd successfully booted/);
  const socket = socketOf(folder);
  // It listens before it serves Kubernetes: a name that is none is then refused for that alone.
  await until('containerd serves Kubernetes', async () => {
    const { message } = await pullByCri(socket, '', AbortSignal.timeout(10_000));
    return !message.includes('not initialized');
  });
  const [ctr, ...before] = tool.command('ctr', folder);
  return {
    socket,
    pull: async (image) => {
      const { result, message } = await pullByCri(socket, image, AbortSignal.timeout(60_000));
      if (result !== 'pulled') throw new Error(`${image}: ${message}`);
    },
    ctr: (...args) => etc.run(ctr, [...before, '--address', socket, ...args], env),
    [Symbol.asyncDispose]: async () => {
      await daemon.stop('SIGTERM');
      await rm(folder, REMOVE);
    },
  };
}

function socketOf(folder: string): string {
  return join(folder, 'c.sock');
}
