import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate } from './certificate.ts';
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
    Record<
      string,
      { readonly url: string; readonly aliases?: readonly string[]; readonly credentials?: object }
    >
  >;
  /** Left out: any free one. */
  readonly port?: number;
  readonly tls?: Certificate;
  /** Further keys of the config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

export const LAUNCHER = join(import.meta.dirname, '../../bin/layover');

/** The store is `scratch.at(name)`: the same name again goes on with it. */
export async function layover(scratch: Scratch, options: LayoverOptions): Promise<Layover> {
  const config = scratch.at(`${options.name}.yaml`);
  const { tls } = options;
  await writeFile(
    config,
    JSON.stringify({
      listen: `127.0.0.1:${options.port ?? 0}`,
      admin: { listen: '127.0.0.1:0' },
      storage: { path: scratch.at(options.name) },
      upstreams: options.upstreams,
      ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
      ...options.config,
    }),
  );
  const process = await start(LAUNCHER, ['serve', '--config', config], {
    ...(options.env !== undefined && { env: options.env }),
  });
  // Its end without that line fails here, with what it said instead.
  const [, port] = await process.until(/"port":(\d+).*"msg":"serving"/);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port: Number(port),
    process,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
