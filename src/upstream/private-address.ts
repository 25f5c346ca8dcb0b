import { BlockList, isIP } from 'node:net';

/**
 * What an upstream may not lead us to: loopback, private, shared (CGNAT), link-local, unspecified,
 * multicast and reserved ranges (RFC 6890), and IPv4 in IPv6's clothes.
 */
const NOT_PUBLIC: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  '::ffff:0:0/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

interface Ranges {
  /** Whether the text is an address in one of them. */
  hold(address: string): boolean;
}

/** Apart, because one list takes every IPv4 address for its IPv4-mapped form in the rules of the other family. */
interface Lists {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

/** Prefixes that carry an IPv4 address (RFC 6052, RFC 3056), and at which 16-bit group it starts. */
const EMBEDDED: readonly (readonly [Ranges, number])[] = [
  [rangesOf(['64:ff9b::/96']), 6],
  [rangesOf(['2002::/16']), 1],
];

const PRIVATE = rangesOf(NOT_PUBLIC);

/** Thrown before or while connecting: redirects and token realms may not lead there. */
export class PrivateAddressError extends Error {
  readonly code = 'PRIVATE_ADDRESS';

  constructor(host: string, address: string) {
    super(`${host} is at the private address ${address}`);
    this.name = 'PrivateAddressError';
  }
}

/** Whether the address, an IP literal, is one that only an operator may name. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  if (PRIVATE.hold(address)) return true;
  const carrier = EMBEDDED.find(([ranges]) => ranges.hold(address));
  return carrier !== undefined && PRIVATE.hold(embedded(address, carrier[1]));
}

/** What connections are held against. Host names as in a URL, without brackets. */
export interface AddressRule {
  /** Whether the name is one that the operator configured, rather than let others lead to. */
  configures(hostname: string): boolean;
  /** Whether any address behind the name is good. */
  trusts(hostname: string, port: string): boolean;
  /** @throws PrivateAddressError */
  check(hostname: string, address: string): void;
  /** Before anything is dialled: what can be told without resolving the name. @throws PrivateAddressError */
  checkUrl(url: URL): void;
}

/**
 * @param trusted host names that the operator configured: they may be anywhere
 * @param allowed `allowPrivate`: names, `name:port`, addresses and CIDR ranges
 */
export function addressRule(trusted: readonly string[], allowed: readonly string[]): AddressRule {
  const isRange = (entry: string): boolean => {
    const [address = '', prefix] = entry.split('/');
    return (prefix !== undefined && address.includes(':')) || isIP(unbracketed(address)) !== 0;
  };
  const ranges = rangesOf(allowed.filter(isRange).map(unbracketed));
  const configured = new Set(trusted.map(normal));
  const names = new Set([...configured, ...allowed.filter((entry) => !isRange(entry)).map(normal)]);
  const rule: AddressRule = {
    configures: (hostname) => configured.has(normal(hostname)),
    trusts: (hostname, port) =>
      names.has(normal(hostname)) || names.has(`${normal(hostname)}:${port}`),
    check(hostname, address) {
      if (!isPrivateAddress(address) || ranges.hold(address)) return;
      throw new PrivateAddressError(hostname, address);
    },
    checkUrl(url) {
      const hostname = normal(url.hostname);
      if (rule.trusts(hostname, portOf(url))) return;
      const local = hostname === 'localhost' || hostname.endsWith('.localhost');
      rule.check(hostname, local ? '127.0.0.1' : hostname);
    },
  };
  return rule;
}

/** `[::1]` as URLs write it is `::1` everywhere else. */
export function unbracketed(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
}

export function portOf({ protocol, port }: Pick<URL, 'protocol' | 'port'>): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

function normal(name: string): string {
  return unbracketed(name.toLowerCase()).replace(/\.$/, '');
}

/** Lists are made when they are first asked: that takes milliseconds, and most commands ask none. */
function rangesOf(entries: readonly string[]): Ranges {
  let lists: Lists | undefined;
  return {
    hold(address) {
      const version = isIP(address);
      if (version === 0) return false;
      const family = version === 4 ? 'ipv4' : 'ipv6';
      lists ??= listsOf(entries);
      return lists[family].check(address.split('%', 1)[0] ?? '', family);
    },
  };
}

function listsOf(entries: readonly string[]): Lists {
  const lists: Lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    // By the colon: these are addresses, and Node's check of IPv6 takes milliseconds the first time.
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    if (prefix === undefined) lists[family].addAddress(address, family);
    else lists[family].addSubnet(address, Number(prefix), family);
  }
  return lists;
}

function embedded(address: string, group: number): string {
  const [high = 0, low = 0] = groupsOf(address).slice(group);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight 16-bit groups of an IPv6 address, by way of the one form that URLs know. */
function groupsOf(address: string): readonly number[] {
  const form = unbracketed(new URL(`http://[${address.split('%', 1)[0]}]`).hostname);
  const [head = '', tail] = form.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((text) => Number.parseInt(text, 16));
  const [front, back] = [parse(head), parse(tail ?? '')];
  const gap = Array.from({ length: 8 - front.length - back.length }, () => 0);
  return [...front, ...gap, ...back];
}
