import { Counter, Gauge, type Registry } from 'prom-client';
import type { ImportEvent } from '../image/bundle/event.ts';

/** There from the start, so that the first import that ends so is seen as an increase. */
const RESULTS = ['imported', 'refused', 'interrupted'] as const;
const OUTCOMES = ['new', 'same', 'moved', 'stays'] as const;

/** Archives that are taken in, through the administration or at the start. */
export function importMetrics(registry: Registry): (event: ImportEvent) => void {
  const registers = [registry];
  const running = new Gauge({
    name: 'layover_imports_in_flight',
    help: 'Imports under way.',
    registers,
  });
  const imports = new Counter({
    name: 'layover_imports_total',
    help: 'Imports, by how they ended; of those refused or interrupted nothing is visible.',
    labelNames: ['result'],
    registers,
  });
  const read = new Counter({
    name: 'layover_import_read_bytes_total',
    help: 'Bytes of archives that imports have read, also of those under way.',
    registers,
  });
  const stored = new Counter({
    name: 'layover_imported_bytes_total',
    help: 'Bytes of content that came with imports and were not stored before.',
    registers,
  });
  const images = new Counter({
    name: 'layover_imported_images_total',
    help: 'Images that were imported, by what became of their tags.',
    labelNames: ['outcome'],
    registers,
  });
  for (const result of RESULTS) imports.inc({ result }, 0);
  for (const outcome of OUTCOMES) images.inc({ outcome }, 0);
  return (event) => {
    switch (event.type) {
      case 'begun':
        running.inc();
        return;
      case 'read':
        read.inc(event.bytes);
        return;
      case 'imported':
        running.dec();
        imports.inc({ result: 'imported' });
        stored.inc(event.imported.bytes);
        for (const { outcome } of event.imported.images) images.inc({ outcome });
        return;
      case 'ended':
        running.dec();
        imports.inc({ result: event.result });
    }
  };
}
