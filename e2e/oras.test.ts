import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oras } from './clients/oras.ts';
import { run } from './lib/process.ts';
import { prefixed } from './lib/prefixed.ts';
import { pulls } from './lib/pulls.ts';
import { tools } from './lib/tool.ts';
import { SIGNATURE, world } from './lib/world.ts';

await pulls('oras', oras);

for (const tool of await tools('oras')) {
  test(`${tool.label} discovers referrers`, { skip: tool.missing ?? false }, async () => {
    assert.ok(tool.missing === undefined);
    await using here = await world();
    const [command, ...first] = tool.command('oras', here.scratch.path);
    const reference = prefixed(here.layover, 'quay.io/org/team/app:v1');
    const discover = ['discover', '--plain-http', '--format', 'json', reference];
    const env = { HOME: here.scratch.path };
    const expected = new RegExp(
      `${SIGNATURE}[^]*${here.signature.digest}|${here.signature.digest}[^]*${SIGNATURE}`,
    );
    assert.match(await run(command, [...first, ...discover], { env }), expected);
    await here.upstream.process.stop('SIGKILL');
    assert.match(await run(command, [...first, ...discover], { env }), expected);
  });
}
