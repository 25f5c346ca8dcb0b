import assert from 'node:assert/strict';
import { tools, type Present } from './tool.ts';

/** What of a test's context is needed to run tests within it. */
export interface Within {
  test(
    name: string,
    options: { readonly skip: string | false },
    run: () => Promise<void>,
  ): Promise<void>;
}

/** A test of its own for each version of a program; what is not installed is skipped, with the reason. */
export async function eachVersion(
  within: Within,
  program: string,
  check: (tool: Present) => Promise<void>,
): Promise<void> {
  for (const tool of await tools(program)) {
    await within.test(tool.label, { skip: tool.missing ?? false }, async () => {
      assert.ok(tool.missing === undefined);
      await check(tool);
    });
  }
}
