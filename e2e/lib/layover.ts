import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Certificate } from './certificate.ts';
import { ask } from './http.ts';
import { freePort } from './port.ts';
import { start, type Running } from './process.ts';
import type { Scratch } from './scratch.ts';

/** A running mirror, started by its launcher as a user would. */
export interface Layover extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly process: Running;
}

export interface LayoverOptions {
  readonly name: string;
  /** The config's `upstreams`. */
  readonly upstreams: Readonly<
    Record<string, { readonly url: string; readonly aliases?: readonly string[] }>
  >;
  /** Left out: any free one. */
  readonly port?: number;
  readonly tls?: Certificate;
  /** Further keys of the config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const LAUNCHER = process.env['STANDIN'] ?? join(import.meta.dirname, '../../bin/layover');
const START_WITHIN = 20_000;

/** The store is `scratch.at(name)`: the same name again goes on with it. */
export async function layover(scratch: Scratch, options: LayoverOptions): Promise<Layover> {
  const port = options.port ?? (await freePort());
  const config = scratch.at(`${options.name}.yaml`);
  const { tls } = options;
  await writeFile(
    config,
    JSON.stringify({
      listen: `127.0.0.1:${port}`,
      admin: { listen: `127.0.0.1:${await freePort()}` },
      storage: { path: scratch.at(options.name) },
      upstreams: options.upstreams,
      ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
      ...options.config,
    }),
  );
  const process = await start(LAUNCHER, ['serve', '--config', config]);
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  try {
    await ready(url, process, tls?.authority);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
  return { url, port, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

async function ready(url: string, process: Running, ca: string | undefined): Promise<void> {
  let ended = false;
  void process.exit.then(() => {
    ended = true;
  });
  const deadline = performance.now() + START_WITHIN;
  for (;;) {
    const status = await ask(`${url}/readyz`, ca === undefined ? {} : { ca }).then(
      (answer) => answer.status,
      // Nobody listens yet.
      () => undefined,
    );
    if (status === 200) return;
    if (ended || performance.now() > deadline) {
      throw new Error(`layover is not ready (${status})\n${process.lines().join('\n')}`);
    }
    await delay(20);
  }
}
