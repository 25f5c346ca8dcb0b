import { connect } from 'node:net';
import { unbracketed } from '../upstream/private-address.ts';

/** Milliseconds. Who speaks TLS alone says so at once. */
const PATIENCE = 1_000;

/**
 * Whether what listens at `host:port` answers a plain request for the API's root as a registry does.
 * Nothing secret is sent. It costs a fraction of trying TLS first, which loads every root certificate.
 */
export async function speaksHttp(host: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${host}`);
  const socket = connect({ host: unbracketed(hostname), port: Number(port), noDelay: true });
  try {
    socket.setTimeout(PATIENCE, () => socket.destroy());
    socket.end(
      `GET /v2/ HTTP/1.1\r\nhost: ${host}\r\nuser-agent: layover\r\nconnection: close\r\n\r\n`,
    );
    let said = '';
    for await (const chunk of socket.setEncoding('latin1')) {
      said += String(chunk);
      if (said.length >= 'HTTP/1.1 200 '.length) break;
    }
    return /^HTTP\/1\.[01] (?:200|401) /.test(said);
  } catch {
    // Whoever goes the long way learns what is wrong.
    return false;
  } finally {
    socket.destroy();
  }
}
