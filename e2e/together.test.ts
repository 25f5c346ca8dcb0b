import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { suite, test } from 'node:test';
import { containerd } from './clients/containerd.ts';
import { podman } from './clients/podman.ts';
import { skopeo } from './clients/skopeo.ts';
import type { MakeClient } from './lib/client.ts';
import { curl } from './lib/curl.ts';
import { content } from './lib/image.ts';
import { largest } from './lib/largest.ts';
import { check } from './lib/pulls.ts';
import { throttle, type Throttle } from './lib/throttle.ts';
import { tools } from './lib/tool.ts';
import { world, type Name } from './lib/world.ts';

const MiB = 1024 * 1024;
const LARGE: Name = 'ghcr.io/org/large:v1';

suite('many at once', () => {
  test('ten curls and three other clients cost one download', async () => {
    await using stack = new AsyncDisposableStack();
    const here = stack.use(
      await world(async () => ({
        between: async (upstream) => {
          const slow = await throttle({ targetPort: upstream.port, bytesPerSecond: 24 * MiB });
          return stack.use(slow).url;
        },
      })),
    );
    const blob = largest(here.shelf[LARGE].blobs);
    const url = `${here.layover.url}/v2/org/large/blobs/${blob.digest}?ns=ghcr.io`;
    const makers: readonly (readonly [string, MakeClient])[] = [
      ['containerd', (options) => containerd(options)],
      ['podman', podman],
      ['skopeo', skopeo],
    ];
    const clients = makers.map(async ([program, make]) => {
      const [tool] = await tools(program);
      assert.ok(tool !== undefined && tool.missing === undefined);
      const folder = here.scratch.at(program);
      await mkdir(folder);
      const client = await make({ tool, world: here, folder });
      check(await client(LARGE), here.shelf[LARGE]);
    });
    const curls = Array.from({ length: 10 }, async () => {
      const answer = await curl(here.scratch, url);
      assert.equal(answer.exit, 0);
      assert.equal(content('', answer.body).digest, blob.digest);
    });
    await Promise.all([...clients, ...curls]);
    const fetched = here.blobFetches().map(({ path }) => path);
    assert.deepEqual(fetched.toSorted(), [...new Set(fetched)].toSorted());
    assert.ok(fetched.some((path) => path.endsWith(blob.digest)));
  });

  test('an upstream that is cut again and again in mid-blob still gives whole answers', async () => {
    await using stack = new AsyncDisposableStack();
    let line: Throttle | undefined;
    const here = stack.use(
      await world(async () => ({
        between: async (upstream) => {
          line = stack.use(await throttle({ targetPort: upstream.port, bytesPerSecond: 32 * MiB }));
          return line.url;
        },
      })),
    );
    assert.ok(line !== undefined);
    const blob = largest(here.shelf[LARGE].blobs);
    const url = `${here.layover.url}/v2/ghcr.io/org/large/blobs/${blob.digest}`;
    const answers = Promise.all([curl(here.scratch, url), curl(here.scratch, url)]);
    for (const at of [10, 30]) {
      await line.until(at * MiB);
      line.cut();
    }
    for (const answer of await answers) {
      assert.equal(answer.exit, 0);
      assert.equal(content('', answer.body).digest, blob.digest);
    }
    const resumed = here.blobFetches().filter(({ status }) => status === 206);
    assert.equal(resumed.length, 2, 'each cut costs one request for the rest');
  });
});
