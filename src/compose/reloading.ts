import { FileWatch } from '../config/watch.ts';
import type { Reloads } from './reloads.ts';
import { ending, type Hangups } from './signals.ts';

/**
 * Reloads on SIGHUP, and when a file changes, until the process is asked to end: the signal that asks
 * it. From then on SIGHUP does nothing.
 */
export async function reloading(
  reloads: Reloads,
  hangups: Hangups,
  onPoll: (folder: string, error: Error) => void,
): Promise<string> {
  await using _watch = new FileWatch({
    files: () => reloads.files,
    onChange: () => reloads.look(),
    onPoll,
  });
  hangups.listen(() => void reloads.reload('signal'));
  try {
    return await ending();
  } finally {
    hangups.listen(undefined);
  }
}
