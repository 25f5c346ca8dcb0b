import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A TCP proxy with one token bucket for all that flows from the target, whatever the number of connections. */
export interface Throttle extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Bytes per second from now on. */
  rate(bytesPerSecond: number): void;
  /** Breaks every connection there is. */
  cut(): void;
  /** Bytes that came from the target. */
  passed(): number;
  /** Resolves once at least so many bytes have passed. */
  until(bytes: number): Promise<void>;
}

export interface ThrottleOptions {
  readonly targetPort: number;
  readonly bytesPerSecond: number;
  readonly port?: number;
}

/** Timers are late by a millisecond or more: what one overslept may be caught up, no more. */
const CATCH_UP = 20;
/** A transfer that was expected and does not come is an error, not a reason to wait for ever. */
const PATIENCE = 60_000;
const [SMALLEST, LARGEST] = [4 * 1024, 128 * 1024];

class Bucket {
  bytesPerSecond: number;
  passed = 0;
  readonly #waiting = new Set<{ readonly bytes: number; readonly wake: () => void }>();
  #next = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Waits until so many bytes may go. */
  async take(bytes: number): Promise<void> {
    this.passed += bytes;
    for (const waiter of this.#waiting) if (this.passed >= waiter.bytes) waiter.wake();
    if (this.bytesPerSecond === Infinity) return;
    const now = performance.now();
    this.#next = Math.max(this.#next, now - CATCH_UP) + (bytes / this.bytesPerSecond) * 1000;
    const wait = this.#next - now;
    if (wait > 1) await delay(wait);
  }

  async until(bytes: number): Promise<void> {
    if (this.passed >= bytes) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { bytes, wake: resolve };
    const deadline = setTimeout(
      () => reject(new Error(`only ${this.passed} of ${bytes} bytes have passed`)),
      PATIENCE,
    );
    this.#waiting.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(deadline);
      this.#waiting.delete(waiter);
    }
  }
}

export async function throttle(options: ThrottleOptions): Promise<Throttle> {
  const bucket = new Bucket(options.bytesPerSecond);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    for (const socket of [client, relay(client, options.targetPort, bucket)]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    rate: (bytesPerSecond) => {
      bucket.bytesPerSecond = bytesPerSecond;
    },
    cut,
    passed: () => bucket.passed,
    until: (bytes) => bucket.until(bytes),
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}

/** One buffer a connection, refilled only after it has been written: the proxy must cost next to nothing. */
function relay(client: Socket, targetPort: number, bucket: Bucket): Socket {
  // A hundredth of a second at a time: a slow line must not deliver in lumps.
  const size = Math.min(Math.max(bucket.bytesPerSecond / 100, SMALLEST), LARGEST);
  const buffer = Buffer.allocUnsafeSlow(Math.ceil(size));
  const target: Socket = connect({
    host: '127.0.0.1',
    port: targetPort,
    noDelay: true,
    onread: {
      buffer,
      callback: (length) => {
        void bucket.take(length).then(() => {
          if (client.destroyed) return;
          client.write(buffer.subarray(0, length), () => target.resume());
        });
        return false;
      },
    },
  });
  client.on('data', (chunk) => target.write(chunk));
  client.on('end', () => target.end());
  // Bytes may still wait for the bucket when the target has ended.
  target.on('end', () => client.end());
  for (const [socket, other] of [
    [client, target],
    [target, client],
  ] as const) {
    socket.on('error', () => other.destroy());
  }
  client.on('close', () => target.destroy());
  return target;
}
