import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const HOSTS = ['docker.io', 'quay.io', 'localhost:5555', 'ghcr.io'];

/** A folder for `--hosts-dir` that sends every name to the mirror and nowhere else. @returns its path */
export async function hostsFolder(path: string, mirror: string, ca?: string): Promise<string> {
  for (const host of HOSTS) {
    const folder = join(path, host);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'hosts.toml'),
      `server = "http://127.0.0.1:1"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n` +
        (ca === undefined ? '' : `  ca = "${ca}"\n`),
    );
  }
  return path;
}
