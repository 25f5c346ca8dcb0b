import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../test/fixtures/registry.ts';
import { layover, type Layover, type LayoverOptions } from './layover.ts';
import { scratch, type Scratch } from './scratch.ts';

/** A registry in this process that misbehaves on command, and servers in front of it. */
export interface BadWorld extends AsyncDisposable {
  readonly scratch: Scratch;
  readonly upstream: Registry;
  /** Where servers keep their store if the config does not say otherwise. */
  readonly store: string;
  /** Starts a server with the registry as docker.io; the same store each time. */
  serve(options?: ServeOptions): Promise<Layover>;
}

export type ServeOptions = Partial<Pick<LayoverOptions, 'config' | 'env' | 'upstreams'>>;

export async function badWorld(options: RegistryOptions = {}): Promise<BadWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratch());
  const upstream = stack.use(await startRegistry(options));
  const whole = stack.move();
  return {
    scratch: folder,
    upstream,
    store: folder.at('mirror'),
    serve: (serve = {}) =>
      layover(folder, {
        name: 'mirror',
        upstreams: { 'docker.io': { url: upstream.url } },
        ...serve,
      }),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/** The path of a blob of docker.io. */
export function blobPath(repository: string, digest: string): string {
  return `/v2/${repository}/blobs/${digest}?ns=docker.io`;
}

export function manifestPath(repository: string, at: string): string {
  return `/v2/${repository}/manifests/${at}?ns=docker.io`;
}
