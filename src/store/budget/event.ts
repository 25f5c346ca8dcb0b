import type { Evicted } from './evictor.ts';

/** What housekeeping tells about itself. */
export type HousekeepingEvent =
  | ({ readonly type: 'evicted' } & Evicted)
  /** So many bytes could not be stored; the client was served all the same. */
  | { readonly type: 'no-room'; readonly bytes: number; readonly reason: string }
  /** The store has been looked through: from now on content is evicted when it has to be. */
  | { readonly type: 'scanned'; readonly bytes: number; readonly objects: number }
  /** The index was damaged or deleted; it is made anew from the store. */
  | { readonly type: 'index-lost' }
  | { readonly type: 'index-error'; readonly error: Error };
