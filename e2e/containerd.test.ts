import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pulls, sha256, type Client, type ClientOptions, type Pull } from './lib/client.ts';
import { containerd } from './lib/containerd.ts';
import { hostsFolder } from './lib/hosts-toml.ts';
import { run } from './lib/process.ts';
import type { Name } from './lib/world.ts';

await pulls('containerd', client);

/**
 * A containerd with nothing in it for each pull; `ctr image pull` through hosts.toml (`?ns=`
 * routing), then `ctr run`.
 */
async function client({ tool, world, folder }: ClientOptions): Promise<Client> {
  const hosts = await hostsFolder(join(folder, 'hosts'), world.layover.url);
  // A later release's runc may need more of the system than there is.
  const runc = (await run('sh', ['-c', 'command -v runc'])).trim();
  let pulls = 0;
  return {
    pull: async (name: Name): Promise<Pull> => {
      await using daemon = await containerd({ tool, folder: join(folder, `c${(pulls += 1)}`) });
      const snapshotter = ['--snapshotter', 'native'];
      await daemon.ctr('image', 'pull', ...snapshotter, '--hosts-dir', hosts, name);
      const [line = ''] = (await daemon.ctr('image', 'ls', `name==${name}`)).split('\n').slice(1);
      const ran = await daemon.ctr(
        'run',
        '--rm',
        '--net-host',
        '--runc-binary',
        runc,
        ...snapshotter,
        name,
        'hello',
      );
      const files = await readdir(daemon.blobs);
      const kept = await Promise.all(files.map((file) => sha256(join(daemon.blobs, file))));
      return { digest: line.match(/sha256:[0-9a-f]{64}/)?.[0] ?? 'none', kept, ran };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
