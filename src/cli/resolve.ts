import type { Command } from '@commander-js/extra-typings';
import { endpoints, type Endpoint } from '../image/endpoints.ts';
import { reference } from './arguments.ts';
import { columns } from './columns.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover resolve alpine:3.20
  layover resolve -4 --json ghcr.io/owner/app:1.2 | jq -r '.[].addresses[]'
  layover resolve --ns docker.io localhost:8080/library/alpine:3.20
`;

interface Told {
  readonly role: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
}

export function addResolve(program: Command, context: Context): void {
  connecting(program.command('resolve'))
    .description(
      'Prints every endpoint and address that a pull touches, redirects and token server included, for the rules of a firewall. No layer is fetched.',
    )
    .argument('<image>', 'in a registry', reference)
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('-4, --ipv4', 'only IPv4 addresses')
    .option('-6, --ipv6', 'only IPv6 addresses')
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (image, { json, ipv4, ipv6, platform, ...connection }) => {
      if (ipv4 === true && ipv6 === true) throw new UsageError('-4 and -6 exclude each other');
      if (connection.store !== undefined) throw new UsageError('a store touches no endpoint');
      const family = ipv4 === true ? 4 : ipv6 === true ? 6 : undefined;
      await using client = await opening({ ...connection, cache: false }, context);
      const registry = await client.client.registry(image.repository.host);
      const found: Told[] = [];
      for await (const one of endpoints(registry, image, platform)) found.push(told(one, family));
      context.output.out(json === true ? formatted(found) : asTable(found));
    });
}

function told({ role, by, url, host, port, addresses }: Endpoint, family: 4 | 6 | undefined): Told {
  const wanted = addresses.filter((one) => family === undefined || one.family === family);
  return {
    role: by === 'redirect' ? `${role} (redirect)` : role,
    url,
    host,
    port,
    addresses: wanted.map(({ address }) => address),
  };
}

function asTable(found: readonly Told[]): string {
  const rows = found.map(({ role, addresses, url }) => [role, addresses.join(', ') || '-', url]);
  return columns([['ROLE', 'IPS', 'URL'], ...rows]);
}
