import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Actions, Choices, Verified, VerifyChoices } from './cli/actions.ts';
import { run } from './cli/program.ts';
import { terminal } from './cli/terminal.ts';
import { serve } from './compose/serve.ts';
import { checkConfig, readConfig, type Request } from './config/read.ts';
import { jsonSchema } from './config/schema.ts';
import { showSettings } from './config/show.ts';
import { RegistryError } from './core/errors.ts';
import { existingStore } from './store/disk.ts';
import { Paths } from './store/paths.ts';
import { pacer } from './store/scrub.ts';
import { verify } from './store/verify.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

const defaultFile = fileURLToPath(new URL('../config/layover.yaml', import.meta.url));

function requestOf({ config, overrides }: Choices): Request {
  return { file: config, defaultFile, environment: process.env, overrides };
}

async function* verifyStore(choices: VerifyChoices): AsyncGenerator<Verified> {
  const { config } = await readConfig(requestOf(choices));
  const paths = new Paths(config.storage.path);
  const store = await existingStore({ paths });
  if (store === undefined) {
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      `there is no store in ${paths.root}, which storage.path names`,
    );
  }
  const limited = choices.pace === 'limited' && config.storage.verifyRate > 0;
  const pace = limited ? pacer(config.storage.verifyRate) : undefined;
  for await (const { digest, size, outcome } of verify({ paths, store, ...(pace && { pace }) })) {
    yield { digest, size, outcome: outcome === 'right' ? 'ok' : 'wrong-digest' };
  }
}

const actions: Actions = {
  async serve(choices) {
    const { config, file } = await readConfig(requestOf(choices));
    await serve({ config, file, environment: process.env, version });
  },
  verify: verifyStore,
  check: (choices) => checkConfig(requestOf(choices)),
  schema: jsonSchema,
  show: async (choices) => showSettings(await readConfig(requestOf(choices))),
};

const { stdout, stderr } = process;
const output = terminal({ stdout, stderr, unread: () => process.exit(0) });
process.exitCode = await run(process.argv.slice(2), { version, actions, output });
// Everything has been put away by now; a connection that will not end is no reason to stay.
setTimeout(() => process.exit(), 5_000).unref();
