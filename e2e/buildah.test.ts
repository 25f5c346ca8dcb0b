import { pulls, type Client, type ClientOptions, type Pull } from './lib/client.ts';
import { containersConf, emptyStorage } from './lib/containers-conf.ts';
import { run } from './lib/process.ts';
import type { Name } from './lib/world.ts';

await pulls('buildah', buildah);

/** `buildah from` into a storage of its own, then a look at the files and a run. */
async function buildah({ tool, world, folder }: ClientOptions): Promise<Client> {
  const env = await containersConf(folder, world);
  const [command, ...first] = tool.command('buildah', folder);
  return {
    pull: async (name: Name): Promise<Pull> => {
      await using storage = await emptyStorage(folder);
      const buildah = async (...args: string[]): Promise<string> =>
        (await run(command, [...first, ...storage.options, ...args], { env })).trimEnd();
      const container = await buildah('from', '--quiet', name);
      const digest = await buildah('inspect', '--format', '{{.FromImageDigest}}', container);
      const ran = await buildah('run', '--isolation=chroot', container, '/hello');
      return { digest, ran: `${ran}\n` };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
