import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { onlyDigest } from '../lib/layout.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';

/** `oras copy` from a layout and into one. */
export async function oras({ tool, folder }: PusherOptions): Promise<Pusher> {
  const [command, ...first] = tool.command('oras', folder);
  const env = { HOME: folder };
  const oras = (...args: string[]): Promise<string> => run(command, [...first, ...args], { env });
  return {
    push: async (layout, reference) => {
      const said = await oras(
        'copy',
        '--from-oci-layout',
        `${layout}:v1`,
        '--to-plain-http',
        reference,
      );
      return said.match(/Digest: (sha256:[0-9a-f]{64})/)?.[1] ?? said;
    },
    pull: async (reference) => {
      const out = await mkdtemp(join(folder, 'layout-'));
      await oras('copy', '--from-plain-http', reference, '--to-oci-layout', `${out}:v1`);
      return onlyDigest(out);
    },
  };
}
