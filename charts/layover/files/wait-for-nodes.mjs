// Waits until a DaemonSet has done its work on every node: until all of its pods are ready. Asks the API server with
// the pod's own account; TIMEOUT is in seconds.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

const {
  ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount',
  KUBERNETES_SERVICE_HOST: host = '',
  KUBERNETES_SERVICE_PORT: port = '443',
  NAMESPACE: namespace = '',
  DAEMONSET: name = '',
  TIMEOUT: seconds = '300',
} = process.env;
const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;

function ask() {
  const { promise, resolve, reject } = Promise.withResolvers();
  const headers = { Authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, 'utf8').trim()}` };
  const ca = readFileSync(`${ACCOUNT}/ca.crt`);
  const signal = AbortSignal.timeout(10_000);
  request({ host, port, path, headers, ca, signal, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => (text += part));
    response.once('error', reject);
    response.once('end', () => {
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${path}: ${response.statusCode} ${text}`));
    });
  })
    .once('error', reject)
    .end();
  return promise;
}

/** What is missing, in words; `undefined` when nothing is. */
async function missing() {
  try {
    const { metadata, status = {} } = await ask();
    if ((status.observedGeneration ?? 0) < metadata.generation) return 'it has not begun';
    const { desiredNumberScheduled: nodes = 0, numberReady: ready = 0 } = status;
    return ready >= nodes ? undefined : `${ready} of ${nodes} nodes are done`;
  } catch (error) {
    return error.message;
  }
}

const deadline = Date.now() + Number(seconds) * 1000;
for (;;) {
  const reason = await missing();
  if (reason === undefined) break;
  if (Date.now() > deadline) {
    process.stderr.write(`gave up on ${name}: ${reason}\n`);
    process.exit(1);
  }
  process.stdout.write(`${name}: ${reason}\n`);
  await delay(Math.min(2_000, Math.max(100, deadline - Date.now())));
}
process.stdout.write(`${name}: every node is done\n`);
