import type { Config } from '../config/config.ts';
import type { HousekeepingEvent } from '../store/budget/event.ts';
import { housekeepingOf } from './housekeeping.ts';
import { openStore, type OpenStore } from './store.ts';

/**
 * Opens and locks the store for one task of this process, with nobody served: nothing is verified in
 * the background, and only `observe` is told of anything.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process has the store, or Node's error
 */
export function openAlone(
  config: Config,
  observe: (event: HousekeepingEvent) => void = () => {},
): Promise<OpenStore> {
  return openStore({
    path: config.storage.path,
    verifyRate: () => 0,
    admin: '',
    observe: () => {},
    housekeeping: housekeepingOf(() => config, { observe }),
  });
}
