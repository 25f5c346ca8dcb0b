import type { Config } from '../config/config.ts';
import { RegistryError } from '../core/errors.ts';
import type { HousekeepingEvent } from '../store/budget/event.ts';
import { lastHolder, StoreLocked } from '../store/lock.ts';
import { Paths } from '../store/paths.ts';
import { housekeepingOf } from './housekeeping.ts';
import { openStore, type OpenStore } from './store.ts';

/** Who has the store, and why there was nobody to ask instead. */
function refused(error: RegistryError, paths: Paths): RegistryError {
  const holder = lastHolder(paths);
  if (holder === undefined) return error;
  const message = `process ${holder.pid} has the store ${paths.root} and offers no administration to ask: if it is a server, admin.listen was in use when it started, as its log says; give it an address of its own and start it again`;
  return new RegistryError(error.code, message);
}

/**
 * Opens and locks the store for one task of this process, with nobody served: nothing is verified in
 * the background, and only `observe` is told of anything.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process has the store, or Node's error
 */
export async function openAlone(
  config: Config,
  observe: (event: HousekeepingEvent) => void = () => {},
): Promise<OpenStore> {
  try {
    return await openStore({
      path: config.storage.path,
      verifyRate: () => 0,
      admin: '',
      observe: () => {},
      housekeeping: housekeepingOf(() => config, { observe }),
    });
  } catch (error) {
    if (!(error instanceof StoreLocked)) throw error;
    throw refused(error, new Paths(config.storage.path));
  }
}
