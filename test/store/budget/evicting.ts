import { randomBytes } from 'node:crypto';
import { keptStore } from '../../fixtures/kept-store.ts';

// Fills the store that the line names, then evicts all of it, slowly enough to be killed on the way.
const [folder = ''] = process.argv.slice(2);
const repository = { host: 'docker.io', path: 'library/x' };
await using place = await keptStore(folder, {
  observe: ({ type }) => type === 'evicted' && process.stdout.write('evicted\n'),
});
await place.housekeeping.looked();
for (let count = 0; count < 300; count += 1) {
  const bytes = randomBytes(2000);
  const digest = await place.put(bytes);
  await place.links.set(repository, digest, { size: bytes.length });
}
await place.housekeeping.evictor.sweep({ reason: 'request', excess: () => Infinity });
