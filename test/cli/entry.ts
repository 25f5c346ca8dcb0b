import { run } from '../../src/cli/program.ts';
import { terminalInput } from '../../src/cli/input.ts';
import { connect } from '../../src/compose/client.ts';
import { interruption } from '../../src/cli/interruption.ts';
import { terminal } from '../../src/cli/terminal.ts';
import { checkConfig, readConfig } from '../../src/config/read.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { showSettings } from '../../src/config/show.ts';
import type { Choices } from '../../src/cli/actions.ts';
import { noBundles, noUpkeep } from './no-actions.ts';

// The command line over the real configuration, as the program wires it, with a server that only
// tells what it was given and an empty store: for tests that run it as a process.
const request = ({ config, overrides }: Choices) => ({
  file: config,
  defaultFile: 'config/layover.yaml',
  environment: process.env,
  overrides,
});
const output = terminal({ ...process, ended: (code) => process.exit(code) });

process.exitCode = await run(process.argv.slice(2), {
  version: '0.0.0',
  output,
  interruption: interruption(process),
  input: terminalInput({
    stdin: process.stdin,
    prompts: process.stderr,
    signal: () => new AbortController().signal,
    interrupt() {},
  }),
  environment: process.env,
  connect: async (options) => connect(options, {}),
  actions: async () => ({
    async serve(choices) {
      const { config } = await readConfig(request(choices));
      output.out(`${JSON.stringify(config.listen)}\n`);
    },
    health: async (choices) => void (await readConfig(request(choices))),
    async *verify(choices) {
      await readConfig(request(choices));
      yield* [];
    },
    check: (choices) => checkConfig(request(choices), choices.named),
    schema: jsonSchema,
    show: async (choices) => showSettings(await readConfig(request(choices))),
    upkeep: noUpkeep,
    bundles: noBundles,
    prefetch: () => Promise.reject(new Error('prefetch')),
    clients: () => Promise.reject(new Error('clients')),
  }),
});
