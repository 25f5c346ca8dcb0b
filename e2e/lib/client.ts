import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { forThisHost, type Image } from './image.ts';
import { tools, type Present } from './tool.ts';
import { NAMES, parts, world, type Name, type World } from './world.ts';

/** What a client did with a pull: it must hold exactly the upstream's bytes. */
export interface Pull {
  /** As the client reports it: of the index or of this host's manifest. */
  readonly digest: string;
  /** sha256 of every blob and manifest that it keeps as it came, `sha256:<hex>`. */
  readonly kept?: readonly string[];
  /** A folder with the files of all layers. */
  readonly unpacked?: string;
  /** Runs the image and returns what it prints, where the client can. */
  readonly ran?: string;
}

/** A client set up so that nothing but the mirror can be reached. */
export interface Client extends AsyncDisposable {
  /** A pull by an empty client: nothing is left from the one before. */
  pull(name: Name): Promise<Pull>;
}

export interface ClientOptions {
  readonly tool: Present;
  readonly world: World;
  /** A folder for this client alone. */
  readonly folder: string;
}

/**
 * The suite that every client goes through, once for each version that can be had: pull cold, pull
 * warm, pull while the upstream is gone; each name by the client's own way of routing.
 */
export async function pulls(
  program: string,
  client: (options: ClientOptions) => Promise<Client>,
): Promise<void> {
  for (const tool of await tools(program)) {
    if (tool.missing === undefined) pullsWith(tool, client);
    else test(`${tool.label} pulls through the mirror`, { skip: tool.missing });
  }
}

function pullsWith(tool: Present, make: (options: ClientOptions) => Promise<Client>): void {
  suite(`${tool.label} pulls through the mirror`, () => {
    let here: World;
    let client: Client;
    before(async () => {
      here = await world();
      const folder = here.scratch.at('client');
      await mkdir(folder);
      client = await make({ tool, world: here, folder });
    });
    after(async () => {
      await client?.[Symbol.asyncDispose]();
      await here?.[Symbol.asyncDispose]();
    });
    const all = async (): Promise<void> => {
      for (const name of NAMES) await check(await client.pull(name), here.shelf[name]);
    };
    test('cold: what the upstream holds arrives, each blob fetched once', async () => {
      await all();
      const fetched = here.blobFetches().map(({ path }) => path);
      assert.deepEqual(fetched, [...new Set(fetched)]);
      assert.deepEqual(
        new Set(fetched),
        new Set(NAMES.flatMap((name) => blobPaths(name, here.shelf[name]))),
      );
    });
    test('warm: no blob is fetched again', async () => {
      const before = here.blobFetches().length;
      await all();
      assert.equal(here.blobFetches().length, before);
    });
    test('upstream gone: everything goes on', async () => {
      await here.upstream.process.stop('SIGKILL');
      await all();
    });
  });
}

function blobPaths(name: Name, image: Image): string[] {
  const { repository } = parts(name);
  return forThisHost(image).blobs.map(({ digest }) => `/v2/${repository}/blobs/${digest}`);
}

async function check(pull: Pull, image: Image): Promise<void> {
  const mine = forThisHost(image);
  assert.ok(
    [image.digest, mine.digest].includes(pull.digest),
    `${pull.digest} is neither ${image.digest} nor ${mine.digest}`,
  );
  if (pull.kept !== undefined) {
    const kept = new Set(pull.kept);
    for (const { digest } of [mine, ...mine.blobs])
      assert.ok(kept.has(digest), `${digest} is missing`);
  }
  if (pull.unpacked !== undefined) {
    for (const [path, digest] of mine.files) {
      assert.equal(await sha256(join(pull.unpacked, path)), digest, path);
    }
  }
  if (pull.ran !== undefined) assert.equal(pull.ran, image.message);
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
