import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../lib/process.ts';

/** Has podman or buildah take in a layout and push it; the digest that it says. */
export async function pushArchive(
  tool: (...args: string[]) => Promise<string>,
  { layout, reference, folder }: { layout: string; reference: string; folder: string },
): Promise<string> {
  // From a folder, old versions make a name of its path, and refuse that.
  const archive = `${layout}.tar`;
  await run('tar', ['-cf', archive, '-C', layout, '.']);
  const id = (await tool('pull', '--quiet', `oci-archive:${archive}`)).trim();
  const said = join(await mkdtemp(join(folder, 'push-')), 'digest');
  await tool('push', '--tls-verify=false', '--digestfile', said, id, `docker://${reference}`);
  return (await run('cat', [said])).trim();
}
