import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hosting } from './lib/hosting.ts';
import { image } from './lib/image.ts';
import { attempt, run } from './lib/process.ts';
import { push } from './lib/push.ts';
import { scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

interface Scheme {
  readonly flag: string;
  /** How many referrers and which tags of its own a signature leaves. */
  readonly referrers: number;
  readonly tags: (digest: string) => readonly string[];
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  referrers: { flag: '--new-bundle-format=true', referrers: 1, tags: () => [] },
  tag: {
    flag: '--new-bundle-format=false',
    referrers: 0,
    tags: (digest) => [`${digest.replace(':', '-')}.sig`],
  },
};

for (const tool of await tools('cosign')) {
  for (const [scheme, { flag, referrers, tags }] of Object.entries(SCHEMES)) {
    const title = `${tool.label} signs and verifies by ${scheme}`;
    test(title, { skip: tool.missing ?? false }, async () => {
      assert.ok(tool.missing === undefined);
      await using folder = await scratch();
      await using registry = await hosting(folder);
      const [command, ...first] = tool.command('cosign', folder.path);
      const options = { cwd: folder.path, env: { HOME: folder.path, COSIGN_PASSWORD: '' } };
      const signed = image({ message: 'signed\n' });
      const unsigned = image({ message: 'unsigned\n' });
      await push(registry.url, 'apps/app', 'v1', signed);
      await push(registry.url, 'apps/app', 'v2', unsigned);
      const at = ({ digest }: { readonly digest: string }): readonly string[] => [
        flag,
        '--allow-http-registry',
        `127.0.0.1:${registry.port}/apps/app@${digest}`,
      ];
      await run(command, [...first, 'generate-key-pair'], options);
      // No transparency log: there is no world outside.
      const sign = [
        'sign',
        '--key=cosign.key',
        '--tlog-upload=false',
        '--use-signing-config=false',
      ];
      await run(command, [...first, ...sign, '--yes', ...at(signed)], options);

      const verify = [...first, 'verify', '--key=cosign.pub', '--insecure-ignore-tlog=true'];
      assert.match(await run(command, [...verify, ...at(signed)], options), RegExp(signed.digest));
      assert.notEqual((await attempt(command, [...verify, ...at(unsigned)], options)).code, 0);

      const base = `${registry.url}/v2/apps/app`;
      const index = (await (await fetch(`${base}/referrers/${signed.digest}`)).json()) as {
        manifests: readonly object[];
      };
      assert.equal(index.manifests.length, referrers);
      const listed = (await (await fetch(`${base}/tags/list`)).json()) as { tags: string[] };
      assert.deepEqual(listed.tags, [...tags(signed.digest), 'v1', 'v2']);
    });
  }
}
