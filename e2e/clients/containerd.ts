import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, ClientOptions, Pull } from '../lib/client.ts';
import { containerd as daemonOf } from '../lib/containerd.ts';
import { hostsFolder } from '../lib/hosts-toml.ts';
import { run } from '../lib/process.ts';
import { sha256 } from '../lib/sha256.ts';

export interface Manner {
  /** Further options of `ctr image pull`. */
  readonly pull?: readonly string[];
  /** Settings of containerd's transfer service, as TOML lines. */
  readonly transfer?: string;
}

/**
 * A containerd with nothing in it for each pull; `ctr image pull` through hosts.toml (`?ns=`
 * routing), then `ctr run`.
 */
export async function containerd(
  { tool, world, folder }: ClientOptions,
  manner: Manner = {},
): Promise<Client> {
  const hosts = await hostsFolder(join(folder, 'hosts'), world.layover.url, world.authority?.ca);
  // A later release's runc may need more of the system than there is.
  const runc = (await run('sh', ['-c', 'command -v runc'])).trim();
  const snapshotter = ['--snapshotter', 'native'];
  const fetching = [...snapshotter, '--hosts-dir', hosts, ...(manner.pull ?? [])];
  const running = ['--rm', '--net-host', '--runc-binary', runc, ...snapshotter];
  let pulls = 0;
  return async (name): Promise<Pull> => {
    pulls += 1;
    await using daemon = await daemonOf({ ...manner, tool, folder: join(folder, `c${pulls}`) });
    await daemon.ctr('image', 'pull', ...fetching, name);
    const listed = await daemon.ctr('image', 'ls', `name==${name}`);
    const ran = await daemon.ctr('run', ...running, name, 'hello');
    const files = await readdir(daemon.blobs);
    const kept = await Promise.all(files.map((file) => sha256(join(daemon.blobs, file))));
    return { digest: listed.match(/sha256:[0-9a-f]{64}/)?.[0] ?? 'none', kept, ran };
  };
}
