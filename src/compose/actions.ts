import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  Actions,
  Choices,
  Lacking,
  ServeChoices,
  Verified,
  VerifyChoices,
} from '../cli/actions.ts';
import { checkConfig, readConfig, type Request } from '../config/read.ts';
import { jsonSchema } from '../config/schema.ts';
import { showSettings } from '../config/show.ts';
import { RegistryError } from '../core/errors.ts';
import { formatRepository } from '../core/reference.ts';
import { check } from '../hosted/check.ts';
import { existingStore } from '../store/disk.ts';
import { Paths } from '../store/paths.ts';
import { Records } from '../store/records.ts';
import { pacer } from '../store/scrub.ts';
import { verify } from '../store/verify.ts';
import { bundlesOf } from './bundles.ts';
import { health } from './health.ts';
import { prefetchOf } from './prefetch.ts';
import { tryHelloWorld } from './provisions.ts';
import { serve } from './serve.ts';
import { upkeepOf } from './upkeep.ts';

export interface ActionsOptions {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const defaultFile = fileURLToPath(new URL('../../config/layover.yaml', import.meta.url));

/** What the verbs that look after a mirror do, wired to the real things. */
export function actionsFor({ version, environment }: ActionsOptions): Actions {
  const requestOf = ({ config, overrides }: Choices): Request => {
    return { file: config, defaultFile, environment, overrides };
  };
  const configOf = async (choices: Choices) => (await readConfig(requestOf(choices))).config;
  return {
    serve: (choices) => serveWith(choices, requestOf(choices), version),
    health: async (choices) => health((await readConfig(requestOf(choices))).config),
    verify: (choices) => verifyStore(requestOf(choices), choices.pace),
    check: (choices) => checkConfig(requestOf(choices), choices.named),
    schema: jsonSchema,
    show: async (choices) => showSettings(await readConfig(requestOf(choices))),
    upkeep: upkeepOf(configOf),
    bundles: bundlesOf(configOf),
    prefetch: prefetchOf((choices) => readConfig(requestOf(choices)), environment),
    clients: async () => (await import('./clients.ts')).clientsOf(configOf, environment),
  };
}

/** The built-in image is served from a folder of its own, which is gone at the end. */
async function serveWith(choices: ServeChoices, request: Request, version: string): Promise<void> {
  const { preload, helloWorld, onServing } = choices;
  if (helloWorld === 'left-out') {
    return serve({ request, version, provisions: { preload, helloWorld } });
  }
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'layover-hello-world-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const flag = '--hello-world';
  const overrides = [
    ...request.overrides,
    { flag, key: 'storage.path', value: folder },
    { flag, key: 'offline', value: true } as const,
  ];
  await serve({
    request: { ...request, overrides },
    version,
    provisions: { preload, helloWorld },
    onServing: (port) => onServing(tryHelloWorld(port)),
  });
}

async function* verifyStore(
  request: Request,
  pace: VerifyChoices['pace'],
): AsyncGenerator<Verified | Lacking> {
  const { config } = await readConfig(request);
  const paths = new Paths(config.storage.path);
  const store = await existingStore({ paths });
  if (store === undefined) {
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      `there is no store in ${paths.root}, which storage.path names`,
    );
  }
  const limited = pace === 'limited' && config.storage.verifyRate > 0;
  const paced = limited ? { pace: pacer(() => config.storage.verifyRate) } : {};
  for await (const { digest, size, outcome } of verify({ paths, store, ...paced })) {
    yield { digest, size, outcome: outcome === 'right' ? 'ok' : 'wrong-digest' };
  }
  const { sparse } = config.uploads;
  for await (const found of check({ records: new Records(paths), content: store, sparse })) {
    const { repository, digest, lacks, neededBy } = found;
    yield {
      repository: formatRepository(repository),
      digest,
      outcome: `missing-${lacks}`,
      ...(neededBy !== undefined && { neededBy }),
    };
  }
}
