import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord } from '../../../core/shape.ts';
import type { ClientName } from '../../proposal.ts';
import { get } from '../../request.ts';
import type { Mirror } from '../../target.ts';
import { several, type Check, type Finding, type Report, type Situation } from '../check.ts';
import { pullerOf, type NoPuller, type Puller } from '../pullers.ts';

/** Milliseconds: for one pull to arrive, between two looks, and for the answer to a look. */
const PATIENCE = 20_000;
const BETWEEN = 100;
const LOOK = 5_000;

/** Pulls at one time. */
const AT_ONCE = 4;

/** What became of a pull from a registry. */
interface Arrival {
  readonly host: string;
  /** `undefined`: it did not arrive. */
  readonly seen:
    | { readonly upstream: string | undefined; readonly via: string | undefined }
    | undefined;
  /** What the client said. */
  readonly said: string;
}

/**
 * Has the client pull images that exist nowhere, and asks the mirror whether it was asked for them: proof,
 * where files only promise. What was found in the client's files tells what mends a pull that goes astray.
 */
export function pulls(client: ClientName, found: readonly Finding[]): Check {
  return {
    name: 'pulls',
    run: async (situation) => {
      const { upstreams } = situation;
      const puller = await pullerOf(client, situation);
      if ('why' in puller) return nothingPulled(client, puller, situation);
      if (upstreams.length === 0) return nothingPulled(client, NO_REGISTRIES, situation);
      const waiting = [...upstreams];
      const arrivals: Arrival[] = [];
      const worker = async (): Promise<void> => {
        for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
          arrivals.push(await arrival(host, puller, situation));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      const arrived = arrivals.filter(({ seen }) => seen !== undefined).length;
      return {
        looked: `pulls by ${puller.name}: of ${upstreams.length} registries ${arrived} arrive at the mirror`,
        findings: findingsOf({ client, puller, situation, found }, arrivals),
      };
    },
  };
}

const NO_REGISTRIES: NoPuller = {
  why: 'the mirror has no registries',
  mend: "set upstreams in the mirror's configuration, or name one with --upstream",
  possible: 'once-mended',
};

/** Files only promise: without a pull nothing is proven, and that is said. */
export function nothingPulled(
  what: string,
  { why, mend, possible }: NoPuller,
  { chosen }: Pick<Situation, 'chosen'>,
): Report {
  return {
    looked: `pulls by ${what}: none was made`,
    findings: [
      {
        code: 'nothing-pulled',
        severity: chosen === 'named' && possible === 'once-mended' ? 'fault' : 'warning',
        saw: `no pull was made: ${why}`,
        means: 'nothing proves that pulls arrive at the mirror; files only promise it',
        mend,
      },
    ],
  };
}

async function arrival(host: string, puller: Puller, { mirror, ca }: Situation): Promise<Arrival> {
  const id = randomBytes(16).toString('hex');
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(PATIENCE)]);
  let said: string | undefined;
  const pulling = puller.pull(`${host}/layover-doctor/${id}:probe`, signal).then((text) => {
    said = text;
  });
  try {
    while (true) {
      // Looked for once more after the client has ended: what it asked for is known before it is told.
      const over = said !== undefined || signal.aborted;
      const seen = await sighting(mirror, ca, id);
      if (seen !== undefined || over) return { host, seen, said: said ?? 'it did not end' };
      await Promise.race([pulling, sleep(BETWEEN)]);
    }
  } finally {
    ending.abort();
    await pulling;
  }
}

async function sighting(
  mirror: Mirror,
  ca: string | undefined,
  id: string,
): Promise<Arrival['seen']> {
  const { body } = await get(`${mirror.url}/api/v1/probes/${id}`, { ca, timeout: LOOK });
  const answer: unknown = JSON.parse(body);
  const seen: unknown =
    isRecord(answer) && Array.isArray(answer['seen']) ? answer['seen'][0] : undefined;
  if (!isRecord(seen)) return undefined;
  const { upstream, via } = seen;
  return {
    upstream: typeof upstream === 'string' ? upstream : undefined,
    via: typeof via === 'string' ? via : undefined,
  };
}

interface Pulled {
  readonly client: ClientName;
  readonly puller: Puller;
  readonly situation: Situation;
  /** In the client's files. */
  readonly found: readonly Finding[];
}

/** Has the client read its files again; those that read them at every pull have something else in the way. */
const AGAIN: Readonly<Record<ClientName, string>> = {
  containerd: 'systemctl restart containerd',
  docker: 'systemctl restart docker',
  k3s: 'systemctl restart k3s   # k3s-agent on agents',
  buildkit: 'systemctl restart buildkit',
  podman: 'skopeo --debug inspect --raw docker://NAME   # says where it asks',
};

function findingsOf(pulled: Pulled, arrivals: readonly Arrival[]): readonly Finding[] {
  const { client, puller, situation } = pulled;
  const { mirror } = situation;
  const found: Finding[] = [];
  const first = `mend first what is found in the files of ${client}, then look again`;
  const lost = arrivals.filter(({ seen }) => seen === undefined);
  if (lost.length > 0) {
    found.push({
      code: 'pull-not-arrived',
      severity: 'fault',
      saw: `${puller.name} did not ask the mirror for an image of ${several(lost.map(({ host }) => host))}; it said: ${brief(lost[0]?.said ?? '')}`,
      means: 'these images are pulled from the registry itself, past the mirror, or not at all',
      mend:
        pulled.found.length > 0
          ? first
          : `${AGAIN[client]}   # its files are right; it may run with what they said before it was started`,
    });
  }
  const confused = arrivals.filter(
    ({ host, seen }) => seen !== undefined && seen.upstream !== host,
  );
  if (confused.length > 0) {
    const taken = confused.map(
      ({ host, seen }) => `${host} as ${seen?.upstream ?? 'none of its registries'}`,
    );
    found.push({
      code: 'wrong-namespace',
      severity: 'fault',
      saw: `the mirror takes a pull from ${several(taken)}`,
      means:
        'the client does not say which registry it means, so that the mirror looks in the wrong one: another image may be served under the name',
      mend:
        pulled.found.length > 0
          ? first
          : `set defaultUpstream: ${confused[0]?.host ?? ''} in the mirror's configuration   # for clients that name no registry; or put it into the mirror's path`,
    });
  }
  const proxied = arrivals.find(({ seen }) => seen?.via !== undefined);
  if (proxied !== undefined) {
    found.push({
      code: 'proxy-between',
      severity: 'warning',
      saw: `a pull came to the mirror through a proxy (Via: ${proxied.seen?.via ?? ''})`,
      means:
        'what the mirror has stored takes a way round, and the proxy may keep, cut or alter it',
      mend: `add ${mirror.hostname} to NO_PROXY where the client's proxy is set`,
    });
  }
  return found;
}

function brief(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line === '' ? 'nothing' : line.slice(0, 300);
}
