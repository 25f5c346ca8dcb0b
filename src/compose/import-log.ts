import type { Logger } from 'pino';
import type { ImportEvent } from './importer.ts';

/** A line for each import, and one for each tag that stays what it was. */
export function importLog(logger: Logger): (event: ImportEvent) => void {
  return (event) => {
    const { name: archive } = event;
    if (event.type === 'refused') {
      logger.warn({ archive, error: event.error.message }, 'import refused');
      return;
    }
    const { images, blobs, bytes } = event.imported;
    for (const { name, digest, outcome, without } of images) {
      if (without.length > 0) logger.warn({ archive, name, without }, 'imported without platforms');
      if (outcome === 'stays') logger.warn({ archive, name, digest }, 'the tag means another');
    }
    logger.info({ archive, images: images.length, blobs, bytes }, 'imported');
  };
}
