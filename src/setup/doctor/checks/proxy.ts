import { isIP } from 'node:net';
import type { ClientName } from '../../proposal.ts';
import type { Mirror } from '../../target.ts';
import type { Check, Finding, Situation } from '../check.ts';

/** The services of systemd that pull, by client. */
const SERVICES: Readonly<Record<ClientName, readonly string[]>> = {
  containerd: ['containerd'],
  docker: ['docker'],
  podman: ['crio'],
  buildkit: ['buildkit'],
  k3s: ['k3s', 'k3s-agent'],
};

/** Where packages and administrators put services and what is added to them. */
const UNITS = ['/usr/lib/systemd/system', '/lib/systemd/system', '/etc/systemd/system'];

/** Environments in files of their own, as installers write them. */
const FILES: Readonly<Partial<Record<ClientName, readonly string[]>>> = {
  k3s: ['/etc/systemd/system/k3s.service.env', '/etc/systemd/system/k3s-agent.service.env'],
};

interface Place {
  /** For people. */
  readonly what: string;
  /** Of the environment, as it has been set there. */
  readonly settings: ReadonlyMap<string, string>;
  readonly mend: string;
}

/** Whether what pulls would send requests for the mirror to a proxy. */
export function proxy(client: ClientName): Check {
  return {
    name: 'proxy',
    run: async (situation) => {
      const places = await placesOf(client, situation);
      const findings = places
        .map((place) => findingOf(place, situation.mirror))
        .filter((finding) => finding !== undefined);
      const proxied = places.map(({ what }) => what).join(', ');
      return { looked: `proxies on the way to the mirror: ${proxied}`, findings };
    },
  };
}

function findingOf({ what, settings, mend }: Place, mirror: Mirror): Finding | undefined {
  const get = (name: string): string | undefined =>
    settings.get(name.toUpperCase()) ?? settings.get(name.toLowerCase());
  const proxy = get(`${mirror.scheme}_proxy`);
  const none = get('no_proxy') ?? '';
  if (proxy === undefined || proxy === '' || goesDirect(mirror, none)) return undefined;
  const address = URL.parse(proxy)?.host ?? 'a proxy';
  return {
    code: 'proxy-between',
    severity: 'fault',
    saw: `${what} sends ${mirror.scheme.toUpperCase()} to ${address}, and NO_PROXY (${none === '' ? 'not set' : none}) does not name ${mirror.hostname}`,
    means:
      'requests for the mirror go to the proxy, which does not know it or is slow: clients go past the mirror',
    mend,
  };
}

/**
 * As Go's programs decide it, which all of these are: loopback is never sent to a proxy, a name stands for
 * what is below it as well, and a port has to fit.
 */
export function goesDirect({ hostname, port }: Mirror, none: string): boolean {
  if (hostname === 'localhost' || hostname === '::1' || hostname.startsWith('127.')) return true;
  return none
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .some((entry) => fits(entry, hostname.toLowerCase(), port));
}

function fits(entry: string, hostname: string, port: number): boolean {
  if (entry === '*') return true;
  const range = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(entry);
  if (range !== null)
    return isIP(hostname) === 4 && inRange(hostname, range[1] ?? '', Number(range[2]));
  const [, name = entry, only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (only !== undefined && Number(only) !== port) return false;
  if (name.startsWith('*.')) return hostname.endsWith(name.slice(1));
  if (name.startsWith('.')) return hostname.endsWith(name);
  return hostname === name || (isIP(hostname) === 0 && hostname.endsWith(`.${name}`));
}

function inRange(address: string, base: string, bits: number): boolean {
  const number = (text: string): number =>
    text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  return Math.floor(number(address) / size) === Math.floor(number(base) / size);
}

async function placesOf(
  client: ClientName,
  { files, environment, here, mirror }: Situation,
): Promise<readonly Place[]> {
  const places: Place[] = [];
  if (here === 'this-machine') {
    const settings = new Map(
      Object.entries(environment).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    );
    const mend = `export NO_PROXY="$NO_PROXY,${mirror.hostname}"   # where the proxy is set`;
    places.push({ what: 'the environment here', settings, mend });
  }
  for (const service of SERVICES[client]) {
    const lines: string[] = [];
    for (const folder of UNITS) {
      lines.push((await files.text(`${folder}/${service}.service`)) ?? '');
      for (const name of await files.list(`${folder}/${service}.service.d`)) {
        if (!name.endsWith('.conf')) continue;
        lines.push((await files.text(`${folder}/${service}.service.d/${name}`)) ?? '');
      }
    }
    const unit = lines.join('\n').replaceAll(/\\\n/g, ' ');
    const settings = new Map(unitEnvironment(unit));
    // What files say wins over what units say, as systemd has it.
    for (const file of environmentFiles(unit)) {
      for (const [name, value] of assignments((await files.text(file)) ?? '')) {
        settings.set(name, value);
      }
    }
    const mend = `systemctl edit ${service}   # [Service] Environment="NO_PROXY=…,${mirror.hostname}", then systemctl restart ${service}`;
    places.push({ what: `the service ${service}`, settings, mend });
  }
  for (const file of FILES[client] ?? []) {
    const text = await files.text(file);
    if (text === undefined) continue;
    places.push({
      what: file,
      settings: assignments(text),
      mend: `add ${mirror.hostname} to NO_PROXY in ${file}`,
    });
  }
  return places;
}

/** What `Environment=` lines of a unit set: later ones win, an empty one clears. */
function unitEnvironment(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const [, value = ''] of text.matchAll(/^\s*Environment=(.*)$/gm)) {
    if (value.trim() === '') settings.clear();
    for (const [, quoted, single, bare] of value.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
      const [name = '', ...rest] = (quoted ?? single ?? bare ?? '').split('=');
      settings.set(name, rest.join('='));
    }
  }
  return settings;
}

/** Files that `EnvironmentFile=` names, whether they have to be there or not; an empty one clears. */
function environmentFiles(text: string): readonly string[] {
  let found: string[] = [];
  for (const [, value = ''] of text.matchAll(/^\s*EnvironmentFile=(.*)$/gm)) {
    const name = value.trim().replace(/^-/, '');
    found = name === '' ? [] : [...found, name];
  }
  return found;
}

function assignments(text: string): ReadonlyMap<string, string> {
  const lines = [...text.matchAll(/^\s*(?:export\s+)?(\w+)=["']?([^"'\n]*)["']?\s*$/gm)];
  return new Map(lines.map(([, name = '', value = '']) => [name, value]));
}
