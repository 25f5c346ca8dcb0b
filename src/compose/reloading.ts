import { FileWatch } from '../config/watch.ts';
import type { Reloads } from './reloads.ts';
import type { Hangups } from './signals.ts';

/**
 * Reloads on SIGHUP, and when a file changes, until the process is asked to end: the signal that asks
 * it. From then on SIGHUP does nothing.
 * @param ended `ending()`, from before anybody knew that there is a server to be ended
 */
export async function reloading(
  reloads: Reloads,
  hangups: Hangups,
  ended: Promise<string>,
  onPoll: (folder: string, error: Error) => void,
): Promise<string> {
  await using _watch = new FileWatch({
    files: () => reloads.files,
    onChange: () => reloads.look(),
    onPoll,
  });
  hangups.listen(() => void reloads.reload('signal'));
  try {
    return await ended;
  } finally {
    hangups.listen(undefined);
  }
}
