import type { Certificate } from './certificate.ts';
import { artifact, image, multiPlatform, referrersIndex, type Image } from './image.ts';
import { layover, type Layover, type LayoverOptions } from './layover.ts';
import { push } from './push.ts';
import { dockerRegistry, type Access, type Registry } from './registry.ts';
import { scratch, type Scratch } from './scratch.ts';

const MiB = 1024 * 1024;
export const SIGNATURE = 'application/vnd.example.signature';

/** What the upstream holds, by the name under which clients ask for it. */
export interface Shelf {
  /** Behind an index, default routing: Docker Hub's official images. */
  readonly 'docker.io/library/hello:v1': Image;
  readonly 'quay.io/org/team/app:v1': Image;
  /** A registry named with a port, as local ones are. */
  readonly 'localhost:5555/app:v1': Image;
  /** With a layer that takes a while. */
  readonly 'ghcr.io/org/large:v1': Image;
}

export type Name = keyof Shelf;
export const NAMES: readonly Name[] = [
  'docker.io/library/hello:v1',
  'quay.io/org/team/app:v1',
  'localhost:5555/app:v1',
  'ghcr.io/org/large:v1',
];

const HOSTS = ['docker.io', 'quay.io', 'localhost:5555', 'ghcr.io'] as const;

/** podman and skopeo refuse a port inside a path, so a prefix needs another name for it. */
export const PORT_ALIAS = 'local.example';

let built: Shelf | undefined;

function shelf(): Shelf {
  built ??= {
    'docker.io/library/hello:v1': multiPlatform({ message: 'hello from hub\n', layers: [3 * MiB] }),
    'quay.io/org/team/app:v1': image({ message: 'hello from quay\n', layers: [MiB, 10, 2 * MiB] }),
    'localhost:5555/app:v1': image({ message: 'hello from a port\n' }),
    'ghcr.io/org/large:v1': image({ message: 'hello at large\n', layers: [64 * MiB] }),
  };
  return built;
}

/** host, repository and tag of a name */
export function parts(name: Name): { host: string; repository: string; tag: string } {
  const slash = name.indexOf('/');
  const colon = name.lastIndexOf(':');
  return {
    host: name.slice(0, slash),
    repository: name.slice(slash + 1, colon),
    tag: name.slice(colon + 1),
  };
}

/** The config's `upstreams`, all at the same place. */
export function upstreamsAt(url: string): LayoverOptions['upstreams'] {
  return Object.fromEntries(
    HOSTS.map((host) => [
      host,
      host === 'localhost:5555' ? { url, aliases: [PORT_ALIAS] } : { url },
    ]),
  );
}

/** An upstream that Debian built, with content, and Layover in front of it. */
export interface World extends AsyncDisposable {
  readonly scratch: Scratch;
  readonly shelf: Shelf;
  readonly signature: Image;
  readonly upstream: Registry;
  readonly layover: Layover;
  readonly authority: Certificate | undefined;
  /** GETs of blobs at the upstream since the world began. */
  blobFetches(): readonly Access[];
}

export type WorldOptions = Pick<LayoverOptions, 'tls' | 'config'> & {
  /** Puts something between the mirror and the upstream; returns its URL. */
  readonly between?: (upstream: Registry) => Promise<string>;
};

export async function world(
  make: (scratch: Scratch) => Promise<WorldOptions> = async () => ({}),
): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratch());
  const { between, ...options } = await make(folder);
  const upstream = stack.use(await dockerRegistry(folder, { name: 'upstream' }));
  const content = shelf();
  for (const name of NAMES) {
    const { repository, tag } = parts(name);
    await push(upstream.url, repository, tag, content[name]);
  }
  const signature = await sign(upstream, content['quay.io/org/team/app:v1']);
  const url = between === undefined ? upstream.url : await between(upstream);
  const upstreams = upstreamsAt(url);
  const mirror = stack.use(await layover(folder, { name: 'mirror', upstreams, ...options }));
  const whole = stack.move();
  return {
    scratch: folder,
    shelf: content,
    signature,
    upstream,
    layover: mirror,
    authority: options.tls,
    blobFetches: () => blobFetches(upstream),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

export function blobFetches(upstream: Registry): readonly Access[] {
  return upstream
    .accesses()
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
}

/** docker-registry knows no referrers: clients leave them under a tag made of the digest. */
async function sign(upstream: Registry, subject: Image): Promise<Image> {
  const signature = artifact(subject, SIGNATURE, 'signed, in a manner of speaking');
  const { repository } = parts('quay.io/org/team/app:v1');
  const index = referrersIndex(SIGNATURE, [signature]);
  await push(upstream.url, repository, subject.digest.replace(':', '-'), index);
  return signature;
}
