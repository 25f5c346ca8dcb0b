import { readFile, writeFile } from 'node:fs/promises';
import { run } from './process.ts';
import type { Scratch } from './scratch.ts';

/** Paths of a server's certificate and of the authority that vouches for it. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** The authority as PEM text. */
  readonly authority: string;
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate for the loopback address, from an authority made for the occasion. */
export async function certificate(scratch: Scratch): Promise<Certificate> {
  const [ca, caKey, cert, key] = ['ca.crt', 'ca.key', 'server.crt', 'server.key'].map((name) =>
    scratch.at(name),
  ) as [string, string, string, string];
  const request = scratch.at('server.csr');
  const extensions = scratch.at('server.ext');
  await writeFile(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const days = ['-days', '2'];
  await run('openssl', [
    'req',
    '-x509',
    ...CURVE,
    '-keyout',
    caKey,
    '-out',
    ca,
    ...days,
    '-subj',
    '/CN=layover e2e authority',
    '-addext',
    'keyUsage=critical,keyCertSign',
  ]);
  await run('openssl', [
    'req',
    '-new',
    ...CURVE,
    '-keyout',
    key,
    '-out',
    request,
    '-subj',
    '/CN=127.0.0.1',
  ]);
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    ca,
    '-CAkey',
    caKey,
    '-CAcreateserial',
    '-out',
    cert,
    '-extfile',
    extensions,
    ...days,
  ]);
  return { cert, key, ca, authority: await readFile(ca, 'utf8') };
}
