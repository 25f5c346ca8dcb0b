/** Does one thing after the other to a store, and says what has been acknowledged; see crash.test.ts. */
import { writeSync } from 'node:fs';
import { STEPS } from './crash-steps.ts';
import { arm, record, recorded } from '../fixtures/watched-files.ts';
import { openWorld } from './world.ts';

const folder = process.argv[2] ?? '';
// Ahead of what the system writes down, and later at every look: what is not needed is garbage at once.
let time = Date.now() + 3_600_000;
const now = (): number => (time += 10);
const world = await openWorld(folder, { grace: 1, untaggedFor: 1, now });
arm(folder);
for (const step of STEPS) {
  await step.run(world);
  record({ kind: 'acknowledged', name: step.name });
  writeSync(1, `${step.name}\n`);
}
if (process.env['KILL_AT'] === undefined) writeSync(1, `${JSON.stringify(recorded())}\n`);
