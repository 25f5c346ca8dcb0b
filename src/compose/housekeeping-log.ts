import type { Logger } from 'pino';
import type { HousekeepingEvent } from '../store/budget/event.ts';

/** Milliseconds for which evictions, what found no room, and errors are gathered into one line. */
const GATHERED = 10_000;

interface Sums {
  blobs: number;
  bytes: number;
  /** Seconds since the one that was asked for last was asked for. */
  youngest: number;
}

/** Tells of housekeeping: single blobs for those who look closely, and a line now and then for others. */
export function housekeepingLog(logger: Logger): (event: HousekeepingEvent) => void {
  const evicted = new Map<string, Sums>();
  const refused = new Map<string, { count: number; bytes: number }>();
  const errors = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    timer = undefined;
    for (const [reason, sums] of evicted) logger.info({ reason, ...sums }, 'evicted');
    for (const [reason, sums] of refused) {
      logger.warn({ reason, ...sums }, 'no room: served without being stored');
    }
    for (const [error, count] of errors) logger.warn({ error, count }, 'index-error');
    errors.clear();
    evicted.clear();
    refused.clear();
  };
  const soon = (): void => void (timer ??= setTimeout(tell, GATHERED).unref());
  return (event) => {
    switch (event.type) {
      case 'evicted': {
        const { reason, size, age } = event;
        logger.debug(event, 'evicted blob');
        const sums = evicted.get(reason) ?? { blobs: 0, bytes: 0, youngest: Infinity };
        sums.blobs += 1;
        sums.bytes += size;
        sums.youngest = Math.min(sums.youngest, Math.round(age / 1000));
        evicted.set(reason, sums);
        soon();
        return;
      }
      case 'no-room': {
        const sums = refused.get(event.reason) ?? { count: 0, bytes: 0 };
        sums.count += 1;
        sums.bytes += event.bytes;
        refused.set(event.reason, sums);
        soon();
        return;
      }
      case 'scanned':
        logger.info(event, 'the store has been looked through');
        return;
      case 'index-lost':
        logger.warn(
          'the index of the store was lost; it is made anew, nothing is evicted meanwhile',
        );
        return;
      case 'index-error':
        // On a full disk every write fails.
        errors.set(event.error.message, (errors.get(event.error.message) ?? 0) + 1);
        soon();
    }
  };
}
