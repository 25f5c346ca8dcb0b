import type { Logger } from 'pino';
import type { ImportEvent } from '../image/bundle/event.ts';

/** Bytes of archives between two lines that say how far one is. */
const TOLD_EVERY = 1024 ** 3;

interface Counting {
  imports(event: ImportEvent): void;
}

/**
 * Tells the log and the metrics of imports: a line for the begin and the end of each, one for each
 * gibibyte of it, and one for each tag that stays what it was.
 */
export function importLog(logger: Logger, metrics: Counting): (event: ImportEvent) => void {
  return (event) => {
    metrics.imports(event);
    const { name: archive } = event;
    switch (event.type) {
      case 'begun':
        logger.info({ archive }, 'import begun');
        return;
      case 'read': {
        const { total, bytes } = event;
        const passed = Math.floor(total / TOLD_EVERY) > Math.floor((total - bytes) / TOLD_EVERY);
        if (passed) logger.info({ archive, read: total }, 'import goes on');
        return;
      }
      case 'imported':
        logImported(logger, event);
        return;
      case 'ended':
        logger.warn({ archive, error: event.error.message }, `import ${event.result}`);
    }
  };
}

function logImported(
  logger: Logger,
  { name: archive, imported, seconds }: ImportEvent & { type: 'imported' },
): void {
  const { images, blobs, bytes } = imported;
  for (const { name, digest, outcome, without } of images) {
    if (without.length > 0) logger.warn({ archive, name, without }, 'imported without platforms');
    if (outcome === 'stays') logger.warn({ archive, name, digest }, 'the tag means another');
  }
  logger.info({ archive, images: images.length, blobs, bytes, seconds }, 'imported');
}
