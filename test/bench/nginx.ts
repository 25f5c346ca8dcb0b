import { readFile, writeFile } from 'node:fs/promises';
import { freePort } from './port.ts';
import { daemon } from './daemon.ts';
import type { Scratch } from '../../e2e/lib/scratch.ts';
import type { Tree } from './tree.ts';

/** nginx with one worker, serving a tree: the upstream of both proxies and the limit of what is possible. */
export interface Nginx extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Bytes of bodies it has sent for this path so far. */
  sent(path: string): Promise<number>;
}

export async function nginx(scratch: Scratch, name: string, tree: Tree): Promise<Nginx> {
  const port = await freePort();
  const log = scratch.at(`${name}.access`);
  const file = scratch.at(`${name}.conf`);
  await writeFile(file, config({ port, log, tree, temporary: scratch.path }));
  const server = await daemon(scratch.at(`${name}.log`), /start worker process/, [
    'nginx',
    '-c',
    file,
    '-e',
    'stderr',
  ]);
  return {
    pid: server.pid,
    port,
    url: `http://127.0.0.1:${port}`,
    sent: async (path) => {
      const lines = (await readFile(log, 'utf8')).split('\n');
      return lines.reduce((sum, line) => {
        const [bytes, uri] = line.split(' ');
        return uri === path ? sum + Number(bytes) : sum;
      }, 0);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface Settings {
  readonly port: number;
  readonly log: string;
  readonly tree: Tree;
  readonly temporary: string;
}

function config({ port, log, tree, temporary }: Settings): string {
  const { image } = tree;
  const temporaries = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${temporary}/nginx-${kind};`)
    .join(' ');
  return `
daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; pid ${temporary}/nginx-${port}.pid; error_log stderr notice;
events { worker_connections 1024; }
http {
  ${temporaries}
  sendfile on; tcp_nopush on; keepalive_requests 1000000;
  log_format bytes '$body_bytes_sent $uri';
  access_log ${log} bytes;
  server {
    listen 127.0.0.1:${port};
    root ${tree.root};
    add_header Docker-Distribution-Api-Version registry/2.0;
    location = /v2/ { default_type application/json; return 200 '{}'; }
    location ~ /manifests/ {
      types {}
      default_type ${image.mediaType};
      add_header Docker-Content-Digest ${image.digest};
    }
    location ~ /blobs/(?<digest>[^/]+)$ {
      types {}
      default_type application/octet-stream;
      add_header Docker-Content-Digest $digest;
    }
  }
}
`;
}
