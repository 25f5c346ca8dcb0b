import { emptyStorage, plainConf } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';
import { pushArchive } from './push-archive.ts';

/** `buildah pull` of a layout and `buildah push` from a storage of its own; `buildah from` in another. */
export async function buildah({ tool, folder }: PusherOptions): Promise<Pusher> {
  const env = await plainConf(folder);
  const [command, ...first] = tool.command('buildah', folder);
  const buildah = (storage: readonly string[], ...args: string[]): Promise<string> =>
    run(command, [...first, ...storage, ...args], { env });
  return {
    push: async (layout, reference) => {
      await using storage = await emptyStorage(folder);
      const inStorage = (...args: string[]): Promise<string> => buildah(storage.options, ...args);
      return pushArchive(inStorage, { layout, reference, folder });
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
