/** Reads names in a thread that errs, and says what came of it. */
import { existsSync } from 'node:fs';
import { argv, env } from 'node:process';
import { namesIn } from '../../src/compose/image-names.ts';

const [file = ''] = argv.slice(2);
const { ERRS: when, ERRS_AT: marker = '' } = env;
const ending = new AbortController();
const reading = namesIn([file], { environment: {}, signal: ending.signal }).then(
  ({ images }) => images.join(),
  (error: unknown) => String(error),
);
// Nothing is heard of the thread until it has erred, as it happens where both come at once.
const pause = new Int32Array(new SharedArrayBuffer(4));
const until = performance.now() + 30_000;
while (!existsSync(marker) && performance.now() < until) Atomics.wait(pause, 0, 0, 5);
Atomics.wait(pause, 0, 0, 200);
if (when === 'ending') ending.abort(new Error('it ends'));
const said = await reading;
await new Promise((resolve) => setTimeout(resolve, 100));
process.stdout.write(said);
