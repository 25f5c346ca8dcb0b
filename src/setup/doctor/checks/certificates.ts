import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Code, Finding, Report } from '../check.ts';
import { quotedForShell } from '../shell.ts';

const DAY = 24 * 60 * 60 * 1000;
/** When a certificate that nobody renews begins to be told. */
const SOON = 30 * DAY;

/** A certificate and where it is from. */
export interface Held {
  /** For people: a key of the configuration, or an address. */
  readonly what: string;
  readonly pem: string;
  /** Where it can be looked at: a file, or the host and port of who shows it. */
  readonly at: { readonly file: string } | { readonly server: string };
  /** PEM of its private key, where it should have one. */
  readonly key?: string | undefined;
}

/** Whether certificates are valid, and for how long, and go with their keys. */
export function certificates(held: readonly Held[], now: number): Report | undefined {
  if (held.length === 0) return undefined;
  return {
    looked: `certificates: ${held.map(({ what }) => what).join(', ')}`,
    findings: held.flatMap((one) => findingsOf(one, now)),
  };
}

function findingsOf({ what, pem, key, at }: Held, now: number): readonly Finding[] {
  const fault = (code: Code, saw: string, means: string, mend: string): Finding => {
    return { code, severity: 'fault', saw: `${what}: ${saw}`, means, mend };
  };
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return [
      fault(
        'certificate-unreadable',
        'no certificate in PEM',
        'it cannot be used: whoever needs it refuses the connection',
        shown(at),
      ),
    ];
  }
  const found: Finding[] = [];
  const { validFrom, validTo } = certificate;
  const where = 'file' in at ? at.file : "the file of tls.cert, on the mirror's machine";
  const renew = `${shown(at)}   # then put a renewed one into ${where}; the server reads it by itself`;
  if (Date.parse(validTo) <= now) {
    found.push(
      fault('certificate-expired', `expired on ${validTo}`, 'whoever is shown it refuses', renew),
    );
  } else if (Date.parse(validFrom) > now) {
    const saw = `valid from ${validFrom} on`;
    found.push(fault('certificate-early', saw, 'whoever is shown it refuses', renew));
  } else if (Date.parse(validTo) - now < SOON) {
    const days = Math.floor((Date.parse(validTo) - now) / DAY);
    found.push({
      code: 'certificate-expires',
      severity: 'warning',
      saw: `${what}: expires on ${validTo}, in ${days} days`,
      means: 'from then on whoever is shown it refuses',
      mend: renew,
    });
  }
  if (key !== undefined && !belongs(certificate, key)) {
    found.push(
      fault(
        'certificate-key',
        'its private key is another one, or unreadable',
        'no connection can be made with it',
        'openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY   # have to say the same',
      ),
    );
  }
  return found;
}

/** The command that shows it. */
function shown(at: Held['at']): string {
  return 'file' in at
    ? `openssl x509 -noout -subject -dates -in ${quotedForShell(at.file)}`
    : `openssl s_client -connect ${at.server} </dev/null | openssl x509 -noout -subject -dates`;
}

function belongs(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
