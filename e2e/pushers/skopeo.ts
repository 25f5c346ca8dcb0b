import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { plainConf } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';
import { sha256 } from '../lib/sha256.ts';

/** `skopeo copy` from a layout to the registry, and from the registry into plain files. */
export async function skopeo({ tool, folder }: PusherOptions): Promise<Pusher> {
  const env = await plainConf(folder);
  const [command, ...first] = tool.command('skopeo', folder);
  const registries = join(folder, 'registries.conf');
  const options = ['--insecure-policy', '--registries-conf', registries, '--tmpdir', folder];
  const copy = (...args: string[]): Promise<string> =>
    run(command, [...first, ...options, 'copy', ...args], { env });
  return {
    push: async (layout, reference) => {
      const said = join(await mkdtemp(join(folder, 'push-')), 'digest');
      const to = ['--dest-tls-verify=false', '--digestfile', said];
      await copy(...to, `oci:${layout}:v1`, `docker://${reference}`);
      return (await run('cat', [said])).trim();
    },
    pull: async (reference) => {
      const out = await mkdtemp(join(folder, 'copy-'));
      await copy('--src-tls-verify=false', `docker://${reference}`, `dir:${out}`);
      return sha256(join(out, 'manifest.json'));
    },
  };
}
