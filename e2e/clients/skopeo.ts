import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, ClientOptions, Pull } from '../lib/client.ts';
import { containersConf } from '../lib/containers-conf.ts';
import { run } from '../lib/process.ts';
import { sha256 } from '../lib/sha256.ts';

/** `skopeo copy` into a folder of plain files, which are then hashed. */
export async function skopeo({ tool, world, folder }: ClientOptions): Promise<Client> {
  const env = await containersConf(folder, world);
  const [command, ...first] = tool.command('skopeo', folder);
  const registries = join(folder, 'registries.conf');
  const options = ['--insecure-policy', '--registries-conf', registries, '--tmpdir', folder];
  const certificates = await certificateFolder(folder, world.authority?.ca);
  return async (name): Promise<Pull> => {
    const out = await mkdtemp(join(folder, 'copy-'));
    try {
      const copy = ['copy', ...certificates, `docker://${name}`, `dir:${out}`];
      await run(command, [...first, ...options, ...copy], { env });
      const files = (await readdir(out)).filter((file) => file !== 'version');
      const kept = await Promise.all(files.map((file) => sha256(join(out, file))));
      return { digest: await sha256(join(out, 'manifest.json')), kept };
    } finally {
      await rm(out, { recursive: true });
    }
  };
}

async function certificateFolder(folder: string, ca: string | undefined): Promise<string[]> {
  if (ca === undefined) return [];
  const path = join(folder, 'certificates');
  await mkdir(path);
  await copyFile(ca, join(path, 'ca.crt'));
  return ['--src-cert-dir', path];
}
