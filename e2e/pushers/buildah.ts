import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyStorage, plainConf } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';

/** `buildah pull` of a layout and `buildah push` from a storage of its own; `buildah from` in another. */
export async function buildah({ tool, folder }: PusherOptions): Promise<Pusher> {
  const env = await plainConf(folder);
  const [command, ...first] = tool.command('buildah', folder);
  const buildah = (storage: readonly string[], ...args: string[]): Promise<string> =>
    run(command, [...first, ...storage, ...args], { env });
  return {
    push: async (layout, reference) => {
      // From a folder, old versions make a name of its path, and refuse that.
      const archive = `${layout}.tar`;
      await run('tar', ['-cf', archive, '-C', layout, '.']);
      await using storage = await emptyStorage(folder);
      const id = (
        await buildah(storage.options, 'pull', '--quiet', `oci-archive:${archive}`)
      ).trim();
      const said = join(await mkdtemp(join(folder, 'push-')), 'digest');
      const to = ['--tls-verify=false', '--digestfile', said];
      await buildah(storage.options, 'push', ...to, id, `docker://${reference}`);
      return (await run('cat', [said])).trim();
    },
    pull: async (reference) => {
      await using storage = await emptyStorage(folder);
      const from = ['from', '--quiet', '--tls-verify=false', reference];
      const container = (await buildah(storage.options, ...from)).trim();
      const inspect = ['inspect', '--format', '{{.FromImageDigest}}', container];
      return (await buildah(storage.options, ...inspect)).trim();
    },
  };
}
