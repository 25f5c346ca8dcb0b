import { asError, systemCode } from '../../../core/errors.ts';
import { parseKnown, UPSTREAMS_PATH, type Known } from '../../ask-upstreams.ts';
import { get, type Answer } from '../../request.ts';
import type { ClientName } from '../../proposal.ts';
import type { Mirror } from '../../target.ts';
import type { Code, Finding, Report, Situation } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

export interface Reached extends Report {
  /** `undefined`: it could not be asked. */
  readonly known: Known | undefined;
  /** `undefined`: nothing was answered. */
  readonly answer: Answer | undefined;
}

type Asking = Pick<Situation, 'mirror' | 'ca' | 'patience' | 'given'> & {
  /** `undefined`: whichever it is. */
  readonly client: ClientName | undefined;
};

/** Whether Layover answers under the address, and if not, why. */
export async function reach(asking: Asking): Promise<Reached> {
  const { mirror, ca, patience: timeout } = asking;
  const looked = `the mirror at ${mirror.url}`;
  const nothing = { known: undefined, answer: undefined };
  let answer: Answer;
  try {
    answer = await get(`${mirror.url}${UPSTREAMS_PATH}`, { ca, timeout });
  } catch (error) {
    return {
      looked,
      ...nothing,
      findings: [await whyNot(asking, asError(error))],
    };
  }
  const known = parseKnown(answer.body);
  if (known === undefined) {
    return { looked, known, answer, findings: [somethingElse(mirror, answer)] };
  }
  const ready = await get(`${mirror.url}/readyz`, { ca, timeout }).catch(() => undefined);
  const findings = ready?.status === 200 ? [] : [notReady(ready)];
  const told = `${looked} is Layover ${known.version} with ${known.upstreams.length} registries, ${Math.round(answer.elapsed)} ms away`;
  return { looked: told, known, answer, findings };
}

async function whyNot(asking: Asking, error: Error): Promise<Finding> {
  const { mirror, ca, patience: timeout, client } = asking;
  const { url, hostname, port, scheme } = mirror;
  const code = systemCode(error) ?? 'no code';
  const saw = `${url}: ${error.message} (${code})`;
  const fault = (name: Code, means: string, mend: string): Finding => {
    return { code: name, severity: 'fault', saw, means, mend };
  };
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fault(
        'dns',
        `no address is known for ${hostname}: nobody on this machine finds the mirror`,
        `getent hosts ${hostname}   # then mend DNS or /etc/hosts, or name the mirror by its address`,
      );
    case 'ECONNREFUSED':
      return fault(
        'refused',
        `nothing listens on port ${port} of ${hostname}: the server does not run, or listens elsewhere`,
        'layover serve   # its first log line says where it listens; see listen in its configuration',
      );
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return fault(
        'no-answer',
        'packets to the mirror are lost: a firewall, a NetworkPolicy or a route',
        `curl -v ${url}/livez   # from here and from the mirror's own machine`,
      );
  }
  const other = scheme === 'http' ? 'https' : 'http';
  const swapped = `${other}://${mirror.authority}`;
  const answers = await get(`${swapped}/livez`, { ca, timeout, trust: 'any' }).then(
    () => true,
    () => false,
  );
  if (answers) {
    return fault(
      scheme === 'http' ? 'http-to-https' : 'https-to-http',
      `the mirror speaks ${other.toUpperCase()} there, and clients are told to speak ${scheme.toUpperCase()}`,
      setupCommand(asking, { client, mirror: swapped }),
    );
  }
  return fault(...certificateFault(asking, code));
}

function certificateFault(asking: Asking, code: string): [Code, string, string] {
  const { mirror, client, given } = asking;
  const { url, hostname } = mirror;
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return [
        'tls-unknown-authority',
        "this machine does not know the authority that signed the mirror's certificate: clients go past the mirror",
        `${setupCommand(asking, { client, ca: given.ca === undefined ? 'AUTHORITY.pem' : 'ANOTHER.pem' })}   # and name it here, too: layover doctor --ca`,
      ];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return [
        'tls-wrong-name',
        `the mirror's certificate is for other names than ${hostname}`,
        `openssl x509 -noout -ext subjectAltName -in CERT.pem   # then issue one for ${hostname}, or use a name that it has`,
      ];
    case 'CERT_HAS_EXPIRED':
      return [
        'tls-expired',
        "the mirror's certificate is no longer valid: clients go past the mirror",
        "openssl x509 -noout -dates -in CERT.pem   # then renew tls.cert of the mirror's configuration",
      ];
    case 'CERT_NOT_YET_VALID':
      return [
        'tls-not-yet-valid',
        "the mirror's certificate is not valid yet: this machine's clock may be behind",
        'timedatectl   # then set the clock, or wait',
      ];
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
      return [
        'client-certificate',
        'the mirror lets in only clients that show a certificate (tls.clientCa)',
        'give clients one: containerd has client = in hosts.toml, docker and podman client.cert and client.key in certs.d',
      ];
    default:
      return [
        'unreachable',
        'the connection ends before there is an answer: something else may listen there',
        `curl -v ${url}/livez`,
      ];
  }
}

function somethingElse({ url }: Mirror, { status, headers }: Answer): Finding {
  const server = headers['server'] ?? headers['via'];
  return {
    code: 'not-layover',
    severity: 'fault',
    saw: `${url}${UPSTREAMS_PATH} answers ${status}${server === undefined ? '' : ` (${String(server)})`}, and not as Layover does`,
    means: 'another program listens there, a proxy answers in its place, or it is an older Layover',
    mend: `curl -i ${url}/   # Layover says its name`,
  };
}

function notReady(answer: Answer | undefined): Finding {
  return {
    code: 'not-ready',
    severity: 'fault',
    saw: `/readyz answers ${answer === undefined ? 'nothing' : `${answer.status}: ${answer.body.trim()}`}`,
    means: 'the mirror asks for no traffic: its store cannot be used, or it is ending',
    mend: "layover health   # on the mirror's machine; its log says more",
  };
}
