import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pulls, sha256, type Client, type ClientOptions, type Pull } from './lib/client.ts';
import { containersConf } from './lib/containers-conf.ts';
import { run } from './lib/process.ts';
import type { Name } from './lib/world.ts';

await pulls('skopeo', skopeo);

/** `skopeo copy` into a folder of plain files, which are then hashed. */
async function skopeo({ tool, world, folder }: ClientOptions): Promise<Client> {
  const env = await containersConf(folder, world);
  const [command, ...first] = tool.command('skopeo', folder);
  const options = [
    '--insecure-policy',
    '--registries-conf',
    join(folder, 'registries.conf'),
    '--tmpdir',
    folder,
  ];
  return {
    pull: async (name: Name): Promise<Pull> => {
      const out = await mkdtemp(join(folder, 'copy-'));
      try {
        await run(command, [...first, ...options, 'copy', `docker://${name}`, `dir:${out}`], {
          env,
        });
        const files = (await readdir(out)).filter((file) => file !== 'version');
        const kept = await Promise.all(files.map((file) => sha256(join(out, file))));
        return { digest: await sha256(join(out, 'manifest.json')), kept };
      } finally {
        await rm(out, { recursive: true });
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
