import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { daemon, type Daemon } from './daemon.ts';
import type { Nginx } from './nginx.ts';
import { REMOVE, type Scratch } from '../../e2e/lib/scratch.ts';

/** A server to measure, with nothing cached. */
export interface Contender extends AsyncDisposable {
  readonly name: 'layover' | 'docker-registry' | 'nginx' | 'node:http';
  readonly pid: number;
  readonly port: number;
}

export type Proxy = 'layover' | 'docker-registry';
export const PROXIES: readonly Proxy[] = ['layover', 'docker-registry'];

const LAUNCHER = join(import.meta.dirname, '../../bin/layover');
let starts = 0;

/** A fresh server with an empty store in front of the upstream. Its store goes with it. */
export function proxy(scratch: Scratch, name: Proxy, upstream: string): Promise<Contender> {
  return contender(scratch, name, upstream);
}

/** A fresh registry with nothing in it, to be pushed to. Its store goes with it. */
export function registry(scratch: Scratch, name: Proxy): Promise<Contender> {
  return contender(scratch, name);
}

async function contender(scratch: Scratch, name: Proxy, upstream?: string): Promise<Contender> {
  starts += 1;
  const folder = scratch.at(`${name}-${starts}`);
  await mkdir(folder);
  const server = await started[name](folder, upstream);
  return {
    name,
    pid: server.pid,
    port: Number(server.ready[1]),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(folder, REMOVE);
    },
  };
}

/** The upstream itself, asked directly. */
export function direct({ pid, port }: Nginx): Contender {
  return { name: 'nginx', pid, port, [Symbol.asyncDispose]: async () => {} };
}

/** Node's own server, answering so many bytes from memory. */
export async function bare(scratch: Scratch, bytes: number): Promise<Contender> {
  const server = await daemon(scratch.at('bare.log'), /bare on (\d+)/, [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'bare.ts'),
    String(bytes),
  ]);
  return {
    name: 'node:http',
    pid: server.pid,
    port: Number(server.ready[1]),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

type Start = (folder: string, upstream: string | undefined) => Promise<Daemon>;

const started: Readonly<Record<Proxy, Start>> = {
  layover: async (folder, url) => {
    const file = join(folder, 'layover.yaml');
    const settings = {
      listen: '127.0.0.1:0',
      admin: { listen: '127.0.0.1:0' },
      storage: { path: join(folder, 'store') },
      ...(url === undefined
        ? { hosted: ['**'], defaultUpstream: 'none' }
        : { upstreams: { 'docker.io': { url } } }),
    };
    await writeFile(file, JSON.stringify(settings));
    return daemon(join(folder, 'log'), /"port":(\d+).*"msg":"serving"/, [
      LAUNCHER,
      'serve',
      '--config',
      file,
    ]);
  },
  'docker-registry': async (folder, remoteurl) => {
    const file = join(folder, 'registry.yml');
    const settings = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(folder, 'store') } },
      http: { addr: '127.0.0.1:0' },
      ...(remoteurl !== undefined && { proxy: { remoteurl } }),
    };
    await writeFile(file, JSON.stringify(settings));
    return daemon(join(folder, 'log'), /listening on 127\.0\.0\.1:(\d+)/, [
      'docker-registry',
      'serve',
      file,
    ]);
  },
};
