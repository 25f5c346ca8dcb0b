import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, ClientOptions, Pull } from '../lib/client.ts';
import { hostArchitecture } from '../lib/image.ts';
import { prefixed } from '../lib/prefixed.ts';
import { run } from '../lib/process.ts';
import { sha256 } from '../lib/sha256.ts';

/** `oras copy` into an OCI layout, by names that begin with the mirror's address. */
export async function oras({ tool, world, folder }: ClientOptions): Promise<Client> {
  const [command, ...first] = tool.command('oras', folder);
  const env = { HOME: folder };
  return async (name): Promise<Pull> => {
    const out = await mkdtemp(join(folder, 'layout-'));
    try {
      const reference = prefixed(world.layover, name);
      const platform = `linux/${hostArchitecture()}`;
      const from = ['copy', '--from-plain-http', '--platform', platform, reference];
      await run(command, [...first, ...from, '--to-oci-layout', `${out}:pulled`], { env });
      const resolve = ['resolve', '--plain-http', reference];
      const digest = await run(command, [...first, ...resolve], { env });
      const blobs = join(out, 'blobs/sha256');
      const kept = await Promise.all(
        (await readdir(blobs)).map((file) => sha256(join(blobs, file))),
      );
      return { digest: digest.trim(), kept };
    } finally {
      await rm(out, { recursive: true });
    }
  };
}
