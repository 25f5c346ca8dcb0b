import { RegistryError } from '../core/errors.ts';
import { formatReference } from '../core/reference.ts';
import type { Administration } from '../http/admin/administration.ts';
import { summed } from '../hosted/upkeep.ts';
import { planPrune, prune } from '../store/inventory/prune.ts';
import type { StoreView } from '../store/inventory/view.ts';
import type { OpenHosted } from './hosted.ts';
import type { OpenStore } from './store.ts';

/** What needs no more than an open store. */
export type StoreAdministration = Omit<Administration, 'prefetch' | 'import'>;

/** What can be done to an open store, in the server as in a verb that has it for itself. */
export function administrationOf(
  { ready, paths, content, links, tags, housekeeping }: OpenStore,
  { repositories }: Pick<OpenHosted, 'repositories'>,
): StoreAdministration {
  const { database, index, clock, keeper, evictor, accesses, ledger, pins } = housekeeping;
  const view: StoreView = { paths, content, links, tags, database, index, clock, keeper };
  const repinned = async (outcome: 'changed' | 'same'): Promise<'changed' | 'same'> => {
    if (outcome === 'changed') await housekeeping.repin();
    return outcome;
  };
  const refuseClosed = (): void => {
    const { closed } = housekeeping;
    if (closed !== undefined) throw new RegistryError('STORAGE_UNAVAILABLE', closed);
  };
  return {
    store: paths.root,
    ready: () => ready(),
    figures: () => housekeeping.figures(),
    async evict(to) {
      await housekeeping.looked();
      const before = ledger.stored;
      const excess = (): number => ledger.stored.bytes - to;
      refuseClosed();
      await evictor.sweep({ reason: 'request', excess });
      const after = ledger.stored;
      return {
        blobs: Math.max(0, before.objects - after.objects),
        bytes: Math.max(0, before.bytes - after.bytes),
      };
    },
    async prune(query) {
      await housekeeping.looked();
      // While offline only what can be imported again may go.
      const offline = housekeeping.offline && query.imported === 'include';
      if (!offline) refuseClosed();
      await accesses.flush();
      const plan = await planPrune(view, offline ? { ...query, imported: 'only' } : query);
      const removed = await prune(view, evictor, plan, offline ? 'offline' : 'online');
      const images = plan.images.map(({ repository, tag, digest }) =>
        formatReference(repository, tag ?? digest),
      );
      return { ...removed, images };
    },
    collect: () => summed(repositories.collect('collect')),
    pins: async () => {
      await pins.read();
      return pins.list;
    },
    pin: async (pattern) => repinned(await pins.add(pattern)),
    unpin: async (pattern) => repinned(await pins.remove(pattern)),
  };
}
