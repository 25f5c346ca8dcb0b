import type { Client, ClientOptions, Pull } from '../lib/client.ts';
import { containersConf, emptyStorage } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';

/** `buildah from` into a storage of its own, then `buildah run`. */
export async function buildah({ tool, world, folder }: ClientOptions): Promise<Client> {
  const env = await containersConf(folder, world);
  const [command, ...first] = tool.command('buildah', folder);
  return async (name): Promise<Pull> => {
    await using storage = await emptyStorage(folder);
    const buildah = (...args: string[]): Promise<string> =>
      run(command, [...first, ...storage.options, ...args], { env });
    const container = (await buildah('from', '--quiet', name)).trim();
    const digest = await buildah('inspect', '--format', '{{.FromImageDigest}}', container);
    const ran = await buildah('run', '--isolation=chroot', container, '/hello');
    return { digest: digest.trim(), ran };
  };
}
