import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { onlyDigest } from '../lib/layout.ts';
import { run } from '../lib/process.ts';
import type { Pusher, PusherOptions } from '../lib/pusher.ts';

/** `crane push` of a layout, `crane pull` into one. */
export async function crane({ tool, folder }: PusherOptions): Promise<Pusher> {
  const [command, ...first] = tool.command('crane', folder);
  const env = { HOME: folder };
  const crane = (...args: string[]): Promise<string> => run(command, [...first, ...args], { env });
  return {
    push: async (layout, reference) => {
      const said = await crane('push', layout, reference);
      return said.trim().replace(/^.*@/s, '');
    },
    pull: async (reference) => {
      const out = await mkdtemp(join(folder, 'layout-'));
      await crane('pull', '--format=oci', reference, out);
      return onlyDigest(out);
    },
  };
}
