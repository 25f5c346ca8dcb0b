import { writeFile } from 'node:fs/promises';
import type { Certificate } from './certificate.ts';
import { start, type Running } from './process.ts';
import type { Scratch } from './scratch.ts';

/** One line of the registry's access log. */
export interface Access {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

/** Debian's docker-registry, plain or as a pull-through proxy. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly process: Running;
  /** What it has been asked so far, oldest first. */
  accesses(): readonly Access[];
}

export interface RegistryOptions {
  readonly name: string;
  /** Left out: any free one. */
  readonly port?: number;
  /** The registry to be a pull-through proxy of. */
  readonly proxyOf?: string;
  /** Lets in only who shows a certificate of the authority. */
  readonly tls?: Certificate;
  /** Lets in only whom this file of htpasswd lists. */
  readonly htpasswd?: string;
}

const ACCESS = /"(?<method>[A-Z]+) (?<path>\S+) HTTP\/[\d.]+" (?<status>\d{3}) (?<bytes>\d+)/;

export async function dockerRegistry(
  scratch: Scratch,
  options: RegistryOptions,
): Promise<Registry> {
  const config = scratch.at(`${options.name}.yml`);
  const { tls, htpasswd } = options;
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: false } },
      storage: {
        filesystem: { rootdirectory: scratch.at(`${options.name}-data`) },
        delete: { enabled: true },
      },
      http: {
        addr: `127.0.0.1:${options.port ?? 0}`,
        ...(tls && { tls: { certificate: tls.cert, key: tls.key, clientcas: [tls.ca] } }),
      },
      ...(htpasswd !== undefined && { auth: { htpasswd: { realm: 'e2e', path: htpasswd } } }),
      ...(options.proxyOf === undefined ? {} : { proxy: { remoteurl: options.proxyOf } }),
    }),
  );
  const process = await start('docker-registry', ['serve', config], {
    env: { OTEL_TRACES_EXPORTER: 'none' },
  });
  const [, port] = await process.until(/listening on 127\.0\.0\.1:(\d+)/);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port: Number(port),
    process,
    accesses: () => process.lines().flatMap(parseAccess),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

function parseAccess(line: string): Access[] {
  const { method, path, status, bytes } = line.match(ACCESS)?.groups ?? {};
  if (method === undefined || path === undefined) return [];
  return [{ method, path, status: Number(status), bytes: Number(bytes) }];
}
