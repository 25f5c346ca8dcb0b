import { createServer } from 'node:http';

/**
 * One answer from memory by Node's own server, with as many headers as Layover sends: no log, no
 * metrics, no names, no cache. What one process can reach at most.
 */
const digest = `sha256:${'0'.repeat(64)}`;
const body = 'x'.repeat(Number(process.argv[2]));
const head = [
  ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ['X-Request-Id', '00000000-0000-4000-8000-000000000000'],
  ['Cache-Status', 'layover; hit; ttl=60'],
  ['Content-Type', 'application/vnd.oci.image.manifest.v1+json'],
  ['Docker-Content-Digest', digest],
  ['ETag', `"${digest}"`],
  ['OCI-Namespace', 'docker.io'],
  ['Content-Length', String(body.length)],
].flat();
const server = createServer({ noDelay: true }, (_request, response) => {
  response.writeHead(200, head);
  response.end(body, 'latin1');
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') console.log(`bare on ${address?.port}`);
});
