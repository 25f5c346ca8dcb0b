/** Exports a bundle, and says so when it is done; see crash-export.test.ts. */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { parseImagePattern } from '../../../src/core/image-pattern.ts';
import { exportBundle } from '../../../src/image/bundle/export.ts';
import { arm, recorded } from '../../fixtures/watched-files.ts';

const [store = '', folder = ''] = process.argv.slice(2);
arm(folder);
const file = path.join(folder, 'bundle.tar');
await exportBundle({
  store,
  patterns: [parseImagePattern('docker.io/**')].filter((one) => one !== undefined),
  platforms: 'stored',
  referrers: 'stored',
  file,
  lock: `${file}.lock.json`,
});
writeSync(1, 'exported\n');
if (process.env['KILL_AT'] === undefined) writeSync(1, `${JSON.stringify(recorded())}\n`);
process.exit(0);
