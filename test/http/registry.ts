import { Records } from '../../src/store/records.ts';
import { diskLinks } from '../../src/store/links.ts';
import { Uses } from '../../src/store/budget/uses.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { UploadStore } from '../../src/store/uploads.ts';
import { parseNamePattern } from '../../src/core/name-pattern.ts';
import {
  hostedRepositories,
  type HostedOptions,
  type HostedRules,
  type HostedRepositories,
} from '../../src/hosted/repositories.ts';
import type { AppOptions, Serving } from '../../src/http/app.ts';
import type { Tls } from '../../src/http/server.ts';
import { createRouter } from '../../src/mirror/route.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { serve, type Served } from './serve.ts';

export interface TestRegistry extends Served {
  readonly hosted: HostedRepositories;
  readonly paths: Paths;
}

export interface TestRegistryOptions {
  readonly app?: Partial<AppOptions & Serving>;
  readonly hosted?: Partial<HostedOptions & HostedRules>;
  readonly tls?: Tls;
}

const HOUR = 3_600_000;

/** The HTTP face over a store on disk: names below `own/` live here, all others are mirrored. */
export async function registry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const paths = new Paths(folder.path);
  const uses = new Uses();
  const content = await diskStore({ paths, uses });
  const records = new Records(paths);
  await records.recover();
  const hosted = hostedRepositories({
    records,
    content,
    uploads: new UploadStore({ paths }),
    uses,
    mirrored: diskLinks(paths),
    rules: () => ({
      sparse: 'none',
      maxSize: 1024 ** 3,
      expireAfter: HOUR,
      grace: HOUR,
      untaggedFor: HOUR,
      pins: [],
      ...options.hosted,
    }),
    ...options.hosted,
  });
  const pattern = parseNamePattern('own/**');
  if (pattern === undefined) throw new Error('not a pattern');
  const router = createRouter({
    upstreams: [{ host: 'docker.io', aliases: [] }],
    defaultUpstream: 'docker.io',
    hosted: [pattern],
  });
  const served = stack.use(await serve({ hosted, router, ...options.app }, options.tls));
  const whole = stack.move();
  return { ...served, hosted, paths, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}
