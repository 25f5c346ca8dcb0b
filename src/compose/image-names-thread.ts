import { parentPort, workerData } from 'node:worker_threads';
import { RegistryError } from '../core/errors.ts';
import type { PrefetchFailure } from '../image/prefetch/event.ts';
import type { NamesRead, NamesWanted } from './image-names.ts';
import { imagesIn } from './image-files.ts';
import { failureOf } from './prefetch-failure.ts';

/** What `image-names.ts` begins: reads what its data say, tells once, and ends. */
async function namesOf({ files, environment }: NamesWanted): Promise<NamesRead> {
  const images: string[] = [];
  const unusable: PrefetchFailure[] = [];
  const [built, wanted] = [new Set<string>(), new Set<string>()];
  try {
    for await (const finding of imagesIn(files, { environment, input: async () => '' })) {
      if (finding.kind === 'image') {
        images.push(finding.image);
        (finding.built === true ? built : wanted).add(finding.image);
      }
      if (finding.kind === 'unusable') unusable.push(failureOf(finding));
    }
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message };
  }
  return { kind: 'read', named: { images, unusable, built: [...built.difference(wanted)] } };
}

const read = await namesOf(workerData as NamesWanted);
parentPort?.postMessage(read, []);
