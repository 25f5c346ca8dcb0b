import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyStorage, plainConf } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';
import { pushArchive } from './push-archive.ts';

/** `podman pull` of a layout and `podman push` from a storage of its own; `podman pull` into another. */
export async function podman({ tool, folder }: PusherOptions): Promise<Pusher> {
  const env = await plainConf(folder);
  const [command, ...first] = tool.command('podman', folder);
  await mkdir(join(folder, 'run'), { recursive: true });
  const podman = (storage: readonly string[], ...args: string[]): Promise<string> =>
    run(command, [...first, ...storage, '--cgroup-manager=cgroupfs', ...args], { env });
  return {
    push: async (layout, reference) => {
      await using storage = await emptyStorage(folder);
      const inStorage = (...args: string[]): Promise<string> => podman(storage.options, ...args);
      return pushArchive(inStorage, { layout, reference, folder });
    },
    pull: async (reference) => {
      await using storage = await emptyStorage(folder);
      await podman(storage.options, 'pull', '--quiet', '--tls-verify=false', reference);
      const inspect = ['image', 'inspect', '--format', '{{.Digest}}', reference];
      return (await podman(storage.options, ...inspect)).trim();
    },
  };
}
