import { join } from 'node:path';
import { run } from '../../e2e/lib/process.ts';
import type { Contender } from './contender.ts';
import type { Order, Received } from './reader.ts';
import type { Blob } from './tree.ts';

export type Manner = Partial<Pick<Order, 'connections' | 'rate' | 'seconds' | 'hash'>>;

/**
 * Reads a blob from a server in a process of its own.
 * @throws Error when a connection that was not limited in time got anything but the whole blob
 */
export async function read(
  { port, name }: Pick<Contender, 'port' | 'name'>,
  blob: Blob,
  manner: Manner = {},
): Promise<readonly Received[]> {
  const order: Order = { port, path: blob.path, connections: 1, hash: 'none', ...manner };
  const output = await run(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'reader.ts'),
    JSON.stringify(order),
  ]);
  const received: readonly Received[] = JSON.parse(output);
  for (const { status, bytes, digest } of received) {
    const whole = order.seconds !== undefined || bytes === blob.size;
    const right = order.hash === 'none' || digest === blob.digest;
    if (status !== 200 || !whole || !right) {
      throw new Error(`${name}: ${status}, ${bytes} of ${blob.size} bytes, ${digest}`);
    }
  }
  return received;
}
