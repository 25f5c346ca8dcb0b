import { formatAddress, type Address } from '../config/address.ts';
import { systemCode } from '../core/errors.ts';
import type { Administration } from '../http/admin/administration.ts';
import { createAdminApp } from '../http/admin/app.ts';
import { startServer } from '../http/server.ts';

export interface AdminServer extends AsyncDisposable {
  /** Where it listens; empty where it does not. */
  readonly address: string;
  /** The store is open: from now on there is something to administer. */
  open(administration: Administration): void;
}

/**
 * Listens for administration. An address that is in use is no reason not to serve clients: it is
 * told, and there is no administration over HTTP then.
 */
export async function startAdminServer(
  listen: Address,
  onError: (error: Error, message: string) => void,
): Promise<AdminServer> {
  let administration: Administration | undefined;
  const app = createAdminApp({
    administration: () => administration,
    host: listen.host,
    onError: (error) => onError(error, 'administration'),
  });
  const open = (opened: Administration): void => {
    administration = opened;
  };
  try {
    const { host = '::', port } = listen;
    const server = await startServer({ app, listen: { host, port } });
    return {
      address: formatAddress({ host: listen.host ?? '127.0.0.1', port: server.port }),
      open,
      [Symbol.asyncDispose]: async () => void (await server.close(0)),
    };
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE' || !(error instanceof Error)) throw error;
    onError(error, 'no administration: its address is in use (admin.listen)');
    return { address: '', open, [Symbol.asyncDispose]: async () => {} };
  }
}
