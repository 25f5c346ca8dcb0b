import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import type { Client, MakeClient, Pull } from './client.ts';
import { forThisHost, type Image } from './image.ts';
import { tools, type Present } from './tool.ts';
import { NAMES, parts, world as newWorld, type Name, type World } from './world.ts';

export interface Variant {
  /** How this client goes about it, for the name of the suite. */
  readonly manner: string;
  /** The first major version that can do so. */
  readonly since: number;
  /** Holds after the cold pulls when the client really went about it that way. */
  readonly sign?: (world: World) => void;
}

/**
 * The suite that every client goes through, once for each version that can be had: pull cold, pull
 * warm, pull while the upstream is gone; each name by the client's own way of routing.
 */
export async function pulls(program: string, make: MakeClient, variant?: Variant): Promise<void> {
  for (const tool of await tools(program)) {
    const title = `${tool.label} pulls ${variant?.manner ?? 'through the mirror'}`;
    if (tool.missing !== undefined) test(title, { skip: tool.missing });
    else if (tool.major >= (variant?.since ?? 0))
      suite(title, () => scenarios(tool, make, variant));
  }
}

function scenarios(tool: Present, make: MakeClient, variant?: Variant): void {
  let here: World | undefined;
  let client: Client;
  before(async () => {
    here = await newWorld();
    const folder = here.scratch.at('client');
    await mkdir(folder);
    client = await make({ tool, world: here, folder });
  });
  after(() => here?.[Symbol.asyncDispose]());
  const pullAll = async (): Promise<World> => {
    assert.ok(here !== undefined);
    for (const name of NAMES) check(await client(name), here.shelf[name]);
    return here;
  };
  test('cold: what the upstream holds arrives, each blob fetched once', async () => {
    const world = await pullAll();
    variant?.sign?.(world);
    const fetched = world.blobFetches().map(({ path }) => path);
    assert.deepEqual(fetched, [...new Set(fetched)]);
    // Some clients read the configs of other platforms as well.
    const needed = NAMES.flatMap((name) => blobPaths(name, world.shelf[name]));
    assert.deepEqual(
      needed.filter((path) => !fetched.includes(path)),
      [],
    );
  });
  test('warm: no blob is fetched again', async () => {
    const before = here?.blobFetches().length;
    assert.equal((await pullAll()).blobFetches().length, before);
  });
  test('upstream gone: everything goes on', async () => {
    await here?.upstream.process.stop('SIGKILL');
    await pullAll();
  });
}

function blobPaths(name: Name, image: Image): string[] {
  const { repository } = parts(name);
  return forThisHost(image).blobs.map(({ digest }) => `/v2/${repository}/blobs/${digest}`);
}

/** @throws AssertionError unless the client got this image, whole and unaltered */
export function check(pull: Pull, image: Image): void {
  const mine = forThisHost(image);
  assert.ok(
    [image.digest, mine.digest].includes(pull.digest),
    `${pull.digest} is neither ${image.digest} nor ${mine.digest}`,
  );
  if (pull.kept !== undefined) {
    for (const { digest } of [mine, ...mine.blobs]) assert.ok(pull.kept.includes(digest), digest);
  }
  if (pull.ran !== undefined) assert.equal(pull.ran, image.message);
}
