import { throttle } from '../../e2e/lib/throttle.ts';

/** The line to the upstream as a process of its own: `line.ts TARGET_PORT BYTES_PER_SECOND`. */
const [targetPort, bytesPerSecond] = process.argv.slice(2).map(Number);
if (targetPort === undefined || bytesPerSecond === undefined) throw new Error('two numbers');
const line = await throttle({ targetPort, bytesPerSecond });
console.log(`line on ${line.port}`);
