import { X509Certificate } from 'node:crypto';
import { Gauge, type Registry } from 'prom-client';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The server's own certificate: until when it is one. */
export function tlsMetrics(registry: Registry): (pem: string | Uint8Array | undefined) => void {
  const registers = [registry];
  const begin = new Gauge({
    name: 'layover_tls_certificate_not_before_timestamp_seconds',
    help: 'From when on the certificate that clients are shown is valid.',
    registers,
  });
  const expiry = new Gauge({
    name: 'layover_tls_certificate_expiry_timestamp_seconds',
    help: 'Until when the certificate that clients are shown is valid: of a chain, the first to expire.',
    registers,
  });
  return (pem) => {
    const first = soonest(pem === undefined ? '' : Buffer.from(pem).toString());
    // A sample of 0 would be a certificate that has expired.
    if (first === undefined) for (const gauge of [begin, expiry]) gauge.remove();
    else {
      begin.set(first.validFromDate.getTime() / 1000);
      expiry.set(first.validToDate.getTime() / 1000);
    }
  };
}

/** Of all that are in the file: a chain is worth no more than any of them. */
function soonest(pem: string): X509Certificate | undefined {
  const chain = [...pem.matchAll(CERTIFICATE)].map(([one]) => new X509Certificate(one));
  return chain.toSorted((a, b) => a.validToDate.getTime() - b.validToDate.getTime())[0];
}
