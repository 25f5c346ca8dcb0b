import type { Logger } from 'pino';
import type { PrefetchRunEvent } from '../image/prefetch/prefetcher.ts';

interface Counting {
  prefetch(event: PrefetchRunEvent): void;
}

/** Tells the log and the metrics of what is fetched before anybody asks for it. */
export function prefetchLog(logger: Logger, metrics: Counting): (event: PrefetchRunEvent) => void {
  return (event) => {
    metrics.prefetch(event);
    switch (event.type) {
      case 'begun': {
        const { trigger, images } = event;
        logger.info({ trigger, images }, 'prefetch begun');
        return;
      }
      case 'image':
        logImage(logger, event);
        return;
      case 'ended': {
        const { trigger, result, summary, seconds } = event;
        const { failures, ...amounts } = summary ?? { failures: [] };
        const level = result === 'incomplete' ? 'warn' : 'info';
        const told = { trigger, result, seconds, failed: failures.length, ...amounts };
        logger[level](told, 'prefetch ended');
      }
    }
  };
}

function logImage(logger: Logger, { trigger, event }: PrefetchRunEvent & { type: 'image' }): void {
  switch (event.type) {
    case 'image-failed': {
      const { image, code, reason } = event;
      logger.warn({ trigger, image, code, error: reason }, 'prefetch failed');
      return;
    }
    case 'image-done':
    case 'expanded': {
      const { type, ...told } = event;
      logger.debug({ trigger, ...told }, `prefetch ${type}`);
      return;
    }
    case 'image-started':
    case 'blob-started':
    case 'blob-progress':
    case 'blob-done':
      logger.trace({ trigger, ...event }, 'prefetch');
  }
}
