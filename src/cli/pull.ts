import { Option, type Command } from '@commander-js/extra-typings';
import { hexOf } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';
import { atDigest, formatReference, type Reference } from '../core/reference.ts';
import type { Passage } from '../image/copy/copy.ts';
import type { Selection } from '../image/copy/plan.ts';
import type { Location } from '../image/location.ts';
import { pull } from '../image/pull.ts';
import type { Place } from '../image/archive/open-place.ts';
import { normalHost } from '../upstream/docker-host.ts';
import { locations } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { copiedJson, readFrom } from './copied.ts';
import { json as formatted } from './json.ts';
import { forOneRegistry, registryOf } from './one-registry.ts';
import { opening, type Opening } from './opening.ts';
import { platform } from './platform.ts';
import { transfers } from './transfers.ts';
import { notBoth } from './standard-output.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover pull alpine:3.20
  layover pull --platform linux/arm64 -o all.tar alpine:3.20 ghcr.io/owner/app:1.2
  layover pull --ns docker.io -o alpine.tar localhost:8080/library/alpine:3.20
  layover pull -o - alpine:3.20 | podman load
  layover pull --format oci --all-platforms -o ./images alpine:3.20
`;

type Format = 'docker' | 'oci' | 'oci-archive';

export function addPull(program: Command, context: Context): void {
  connecting(program.command('pull'))
    .description(
      'Saves images on this disk, by default as an archive for docker load, podman load, skopeo and crane. An archive that is there is replaced, at once and when the new one is whole; a folder in OCI layout is added to. What was fetched before, by whatever process, comes from the cache, and what was interrupted goes on; what another process is fetching at the time is read as it comes, for as long as it does.',
    )
    .argument('<images...>', 'what to save; several come into one archive', locations)
    .option(
      '-o, --output <path>',
      'where (default: NAME-TAG.tar; for --format oci the folder NAME-TAG); an archive for - or a pipe is put together among the temporary files, and written there when it is whole',
    )
    .addOption(
      new Option('--format <format>', 'what for: docker, or any reader of OCI layouts')
        .choices(['docker', 'oci', 'oci-archive'] as const)
        .default('docker' as const),
    )
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('--all-platforms', 'an index with all its images; for the OCI formats')
    .option('--referrers', 'signatures and what else refers to the images; for the OCI formats')
    .option('--json', 'print what was saved, and where its bytes came from')
    .addHelpText('after', EXAMPLES)
    .action(
      async (
        images,
        { output, format, json, allPlatforms, referrers, platform, ...connection },
      ) => {
        if (format === 'docker' && (allPlatforms ?? referrers) !== undefined) {
          const flag = allPlatforms === true ? '--all-platforms' : '--referrers';
          throw new UsageError(
            `${flag} needs --format oci or oci-archive: docker's archives have no place for it`,
          );
        }
        const { quiet, ns } = connection;
        const signal = context.interruption.listen();
        const registries = connection.store === undefined ? images.map(registryOf) : [];
        forOneRegistry(connection, registries, (flag) =>
          /user|password/.test(flag)
            ? '"layover login" keeps a login for each'
            : 'pull them one by one, and put them together with --format oci',
        );
        await using client = await opening(connection, context, { signal });
        await using stack = new AsyncDisposableStack();
        const passages: Passage[] = [];
        for (const image of images) passages.push(await passage(client, image, ns, stack));
        const path = output ?? defaultPath(passages, format);
        const place = targetAt(path, format);
        if (json === true) notBoth(place);
        const stdout = (chunk: Uint8Array) => context.output.bytes(chunk);
        await using into = await client.client.write(place, { stdout, signal });
        const names = passages.map(({ to }) => formatReference(to.repository, to.at));
        using shown = transfers({ output: context.output, quiet, names });
        const copied = await pull({
          images: passages,
          into,
          selection: selected(platform, allPlatforms),
          referrers: referrers === true ? 'copied' : 'left-out',
          observe: shown.observe,
          signal,
        }).catch(sayFormat);
        shown[Symbol.dispose]();
        if (quiet !== true)
          context.output.error(
            `saved ${names.join(', ')} ${placeName(path)}; ${readFrom(copied)}\n`,
          );
        if (json === true) context.output.out(formatted(copiedJson(copied, names, path)));
      },
    );
}

/** Of what docker's archives have no place for: which formats have one. */
function sayFormat(error: unknown): never {
  if (!(error instanceof RegistryError) || !isRecord(error.detail)) throw error;
  const { suited } = error.detail;
  if (!Array.isArray(suited)) throw error;
  const message = `${error.message}: --format ${suited.join(' or ')}`;
  throw new RegistryError(error.code, message, { cause: error });
}

/** What is pulled from a mirror is called as it is at the registry that is mirrored. */
async function passage(
  client: Opening,
  image: Location,
  ns: string | undefined,
  stack: AsyncDisposableStack,
): Promise<Passage> {
  const { source, repository, at } = stack.use(await client.open(image));
  const host = image.kind === 'registry' && ns !== undefined ? normalHost(ns) : repository.host;
  return { source, repository, at, to: { repository: { host, path: repository.path }, at } };
}

function selected(
  platform: Extract<Selection, { kind: 'one' }>['platform'],
  allPlatforms: true | undefined,
): Selection {
  if (allPlatforms !== true) return { kind: 'one', platform };
  if (platform === undefined) return { kind: 'all' };
  throw new UsageError('--platform and --all-platforms exclude each other');
}

function targetAt(path: string, format: Format): Place {
  switch (format) {
    case 'docker':
      return { kind: 'docker-archive', file: path };
    case 'oci-archive':
      return { kind: 'oci-archive', file: path };
    case 'oci':
      if (path !== '-') return { kind: 'oci', folder: path };
      throw new UsageError('a folder cannot be written to standard output: --format oci-archive');
  }
}

function placeName(path: string): string {
  return path === '-' ? 'to standard output' : `as ${path}`;
}

/** `alpine-3.20.tar` for `docker.io/library/alpine:3.20`. */
function defaultPath(passages: readonly Passage[], format: Format): string {
  const [first, another] = passages;
  if (first === undefined || another !== undefined) {
    throw new UsageError('several images need a name for what they come into: --output');
  }
  return `${baseName(first.to)}${format === 'oci' ? '' : '.tar'}`;
}

function baseName({ repository, at }: Reference): string {
  const name = repository.path.slice(repository.path.lastIndexOf('/') + 1);
  return `${name}-${atDigest(at) ? hexOf(at).slice(0, 12) : at}`;
}
