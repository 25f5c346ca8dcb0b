import { RegistryError } from '../core/errors.ts';
import { formatReference } from '../core/reference.ts';
import type { Administration } from '../http/admin/administration.ts';
import { summed } from '../hosted/collection.ts';
import { evictable } from '../store/inventory/evictable.ts';
import { planPrune, prune, type PrunePlan, type PruneQuery } from '../store/inventory/prune.ts';
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
  const { database, index, clock, past, keeper, evictor, accesses, ledger, pins } = housekeeping;
  const view: StoreView = { paths, content, links, tags, database, index, clock, past, keeper };
  const repinned = async (outcome: 'changed' | 'same'): Promise<'changed' | 'same'> => {
    if (outcome === 'changed') await housekeeping.repin();
    return outcome;
  };
  const refuseClosed = (): void => {
    const { closed } = housekeeping;
    if (closed !== undefined) throw new RegistryError('STORAGE_UNAVAILABLE', closed);
  };
  const planned = async (query: PruneQuery): Promise<Planned> => {
    await housekeeping.looked();
    // While offline only what can be imported again may go.
    const offline = housekeeping.offline && query.imported === 'include';
    if (!offline) refuseClosed();
    await accesses.flush();
    const plan = await planPrune(view, offline ? { ...query, imported: 'only' } : query);
    return { plan, network: offline ? 'offline' : 'online' };
  };
  return {
    store: paths.root,
    ready: () => ready(),
    figures: () => housekeeping.figures(),
    async evict(to) {
      await housekeeping.looked();
      const before = ledger.stored;
      const excess = (): number => ledger.stored.bytes - to;
      if (!housekeeping.offline) refuseClosed();
      const gone = await evictor.sweep({ reason: 'request', excess });
      if (gone === 0) refuseClosed();
      const after = ledger.stored;
      return {
        blobs: Math.max(0, before.objects - after.objects),
        bytes: Math.max(0, before.bytes - after.bytes),
      };
    },
    async *leaving(to) {
      await housekeeping.looked();
      const owner = housekeeping.scope === 'unlinked' ? 'nobody' : undefined;
      if (owner === undefined) refuseClosed();
      await accesses.flush();
      yield* evictable(view, { stored: ledger.stored.bytes, to, owner });
    },
    async prune(query) {
      const { plan, network } = await planned(query);
      return { ...(await prune(view, evictor, plan, network)), images: namesIn(plan) };
    },
    async planPrune(query) {
      const { plan } = await planned(query);
      const bytes = plan.content.values().reduce((sum, size) => sum + size, 0);
      return { blobs: plan.content.size, bytes, images: namesIn(plan) };
    },
    collect: () => summed(repositories.collect('collect')),
    garbage: () => repositories.collect('report'),
    pins: async () => {
      await pins.read();
      return pins.list;
    },
    pin: async (pattern) => repinned(await pins.add(pattern)),
    unpin: async (pattern) => repinned(await pins.remove(pattern)),
  };
}

interface Planned {
  readonly plan: PrunePlan;
  readonly network: 'online' | 'offline';
}

function namesIn({ images }: PrunePlan): readonly string[] {
  return images.map(({ repository, tag, digest }) => formatReference(repository, tag ?? digest));
}
