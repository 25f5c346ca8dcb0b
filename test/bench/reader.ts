import { createHash } from 'node:crypto';
import { connect } from 'node:net';

/** Told to a reader process as JSON in its only argument. */
export interface Order {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Bytes a second for each connection; left out: as fast as they come. */
  readonly rate?: number | undefined;
  /** Leave after so many seconds. */
  readonly seconds?: number | undefined;
  /** Hash what comes: once for each server, for it costs time. */
  readonly hash: 'sha256' | 'none';
}

/** What one connection got. */
export interface Received {
  readonly status: number;
  readonly length: number;
  readonly bytes: number;
  /** From the request to the first byte of the body and to its end. */
  readonly firstByteMs: number;
  readonly milliseconds: number;
  readonly digest: string;
}

/** One GET on a bare socket into one reused buffer: the client must cost less than what it measures. */
async function receive(order: Order): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  const hash = order.hash === 'sha256' ? createHash('sha256') : undefined;
  let head = '';
  let [status, length, bytes, firstByteMs] = [0, Infinity, 0, 0];
  const began = performance.now();
  const take = (chunk: Uint8Array): number => {
    if (firstByteMs === 0 && chunk.length > 0) firstByteMs = performance.now() - began;
    bytes += chunk.length;
    hash?.update(chunk);
    if (bytes >= length) resolve();
    return order.rate === undefined ? 0 : began + (bytes / order.rate) * 1000 - performance.now();
  };
  const socket = connect({
    host: '127.0.0.1',
    port: order.port,
    noDelay: true,
    onread: {
      buffer,
      callback: (count) => {
        let from = 0;
        if (status === 0) {
          const before = head.length;
          head += buffer.toString('latin1', 0, count);
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return true;
          status = Number(head.slice(9, 12));
          length = Number(head.match(/\r\ncontent-length: *(\d+)/i)?.[1] ?? Infinity);
          from = end + 4 - before;
        }
        const ahead = take(buffer.subarray(from, count));
        if (ahead > 1) setTimeout(() => socket.resume(), ahead);
        return ahead <= 1;
      },
    },
  });
  socket.on('error', reject);
  socket.on('close', () => resolve());
  socket.write(`GET ${order.path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`);
  const patience = order.seconds ?? 600;
  const timer = setTimeout(resolve, patience * 1000);
  await promise;
  clearTimeout(timer);
  socket.destroy();
  const milliseconds = performance.now() - began;
  const digest = hash === undefined ? '' : `sha256:${hash.digest('hex')}`;
  return { status, length, bytes, firstByteMs, milliseconds, digest };
}

const order: Order = JSON.parse(process.argv[2] ?? '');
const all = Array.from({ length: order.connections }, () => receive(order));
console.log(JSON.stringify(await Promise.all(all)));
