import { image, writeTo } from './written.ts';

/** A process of its own that adds images to a layout, one after another. */
const [target = '', seed = '', turns = ''] = process.argv.slice(2);
for (let turn = 0; turn < Number(turns); turn += 1) {
  await writeTo(`${target}:s${seed}-${turn}`, image(Number(seed) * 100 + turn));
}
