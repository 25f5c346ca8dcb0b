import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of our own that goes away with everything in it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
  at(...parts: string[]): string;
}

/** Patient: what a client leaves to finish in the background may still be writing. */
export const REMOVE = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 } as const;

const folders = new Set<string>();

// A test that is cut short by the runner never reaches its `await using`.
process.on('exit', () => {
  for (const path of folders) rmSync(path, REMOVE);
});

export async function scratch(): Promise<Scratch> {
  // Sockets inside must stay under the 108 bytes of a Unix socket path.
  const path = await mkdtemp(join(tmpdir(), 'layover-e2e-'));
  folders.add(path);
  return {
    path,
    at: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: async () => {
      await rm(path, REMOVE);
      folders.delete(path);
    },
  };
}
