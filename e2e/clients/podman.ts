import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, ClientOptions, Pull } from '../lib/client.ts';
import { containersConf, emptyStorage } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';

/** `podman pull` into a storage of its own, then `podman run`. */
export async function podman({ tool, world, folder }: ClientOptions): Promise<Client> {
  const env = await containersConf(folder, world);
  const [command, ...first] = tool.command('podman', folder);
  await mkdir(join(folder, 'run'), { recursive: true });
  return async (name): Promise<Pull> => {
    await using storage = await emptyStorage(folder);
    const podman = (...args: string[]): Promise<string> =>
      run(command, [...first, ...storage.options, '--cgroup-manager=cgroupfs', ...args], { env });
    await podman('pull', '--quiet', name);
    const digest = await podman('image', 'inspect', '--format', '{{.Digest}}', name);
    const ran = await podman('run', '--rm', '--network=host', name);
    return { digest: digest.trim(), ran };
  };
}
