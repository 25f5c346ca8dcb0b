import { existsSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './process.ts';
import type { Scratch } from './scratch.ts';
import { kitFolder } from './tool.ts';

/** The names of the two images that the Dockerfile begins with, as local ones. */
export const BASES = { build: 'localhost/base-build', image: 'localhost/base-image' } as const;

/** Runs `buildah`, the storage chosen. */
export type Buildah = (...args: readonly string[]) => Promise<string>;

const NODE = process.execPath;

/**
 * Makes stand-ins for the Dockerfile's bases out of Debian's packages and the pinned Node: one with a
 * shell and npm, one with nothing but Node, the libraries that it needs and a user, laid out as
 * distroless has them.
 */
export async function makeBases(scratch: Scratch, buildah: Buildah): Promise<void> {
  const kit = kitFolder('image-base');
  const [build, image] = [scratch.at('base-build'), scratch.at('base-image')];
  await run('cp', ['-a', kit, build]);
  await mkdir(join(build, 'usr/lib/node_modules'), { recursive: true });
  await cp(NODE, join(build, 'usr/bin/node'));
  await run('cp', ['-a', await npmFolder(), join(build, 'usr/lib/node_modules/npm')]);
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(build, 'usr/bin/npm'));

  for (const folder of ['nodejs/bin', 'etc', 'usr/lib', 'home/nonroot']) {
    await mkdir(join(image, folder), { recursive: true });
  }
  await cp(NODE, join(image, 'nodejs/bin/node'));
  for (const library of await libraries()) {
    await mkdir(dirname(join(image, library)), { recursive: true });
    // What is behind the links of the kit, under the names that the loader looks for.
    await cp(join(kit, library), join(image, library), { dereference: true });
  }
  for (const lib of ['lib', 'lib64']) await symlink(`usr/${lib}`, join(image, lib));
  await writeFile(join(image, 'etc/passwd'), 'nonroot:x:65532:65532::/home/nonroot:/nologin\n');
  await writeFile(join(image, 'etc/group'), 'nonroot:x:65532:\n');

  for (const [folder, name, more] of [
    [build, BASES.build, ''],
    [image, BASES.image, 'USER 65532\nENTRYPOINT ["/nodejs/bin/node"]\n'],
  ] as const) {
    const recipe = `${folder}.dockerfile`;
    await mkdir(join(folder, 'tmp'), { recursive: true });
    await run('chmod', ['1777', join(folder, 'tmp')]);
    await writeFile(recipe, `FROM scratch\nCOPY . /\n${more}`);
    await buildah('bud', '--quiet', '--layers=false', '--tag', name, '--file', recipe, folder);
  }
}

/** Paths, as Debian has them, of what Node is linked against. */
async function libraries(): Promise<readonly string[]> {
  const said = await run('ldd', [NODE]);
  return [...said.matchAll(/\s(\/\S+)\s\(/g)].map(([, path = '']) =>
    path.replace(/^\/lib/, 'usr/lib').replace(/^\/usr/, 'usr'),
  );
}

async function npmFolder(): Promise<string> {
  const npm = (await run('sh', ['-c', 'readlink -f "$(command -v npm)"'])).trim();
  const folder = dirname(dirname(npm));
  if (!existsSync(join(folder, 'package.json'))) throw new Error(`no npm in ${folder}`);
  return folder;
}
