/** Imports a bundle, and says so when it is done; see crash.test.ts. */
import { createReadStream, writeSync } from 'node:fs';
import { arm, record, recorded } from '../../fixtures/watched-files.ts';
import { openWorld } from './world.ts';

const [folder = '', bundle = ''] = process.argv.slice(2);
const world = await openWorld({ folder, config: "hosted: ['team/**']" });
arm(folder);
await world.import(createReadStream(bundle, { highWaterMark: 4096 }));
record({ kind: 'acknowledged', name: 'import' });
writeSync(1, 'imported\n');
if (process.env['KILL_AT'] === undefined) writeSync(1, `${JSON.stringify(recorded())}\n`);
process.exit(0);
