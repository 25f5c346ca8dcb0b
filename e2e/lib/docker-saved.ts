import { createHash } from 'node:crypto';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Content, Image } from './image.ts';
import { run } from './process.ts';

/**
 * An archive as `docker save` writes it: since version 25 an OCI layout that also has the old list,
 * before that a folder a layer, in which a layer that comes again is a symbolic link.
 */
export async function dockerSaved(
  image: Image,
  {
    folder,
    name,
    version,
  }: { readonly folder: string; readonly name: string; readonly version: 24 | 25 },
): Promise<string> {
  const root = join(folder, `docker-${version}`);
  const [config, ...layers] = image.blobs;
  if (config === undefined) throw new Error('no config');
  const [repository = '', tag = ''] = name.split(/:(?=[^:]*$)/);
  const plain = layers.map(({ bytes }) => gunzipSync(bytes));
  const write = version === 24 ? oldLayout : newLayout;
  const { list, top } = await write(root, config, plain);
  await put(root, 'manifest.json', JSON.stringify([{ ...list, RepoTags: [name] }]));
  await put(root, 'repositories', `${JSON.stringify({ [repository]: { [tag]: top } })}\n`);
  const file = join(folder, `docker-${version}.tar`);
  const names = (await readdir(root)).toSorted();
  await run('tar', ['-cf', file, '--sort=name', '--owner=0', '--group=0', '-C', root, ...names]);
  return file;
}

interface Written {
  readonly list: { readonly Config: string; readonly Layers: readonly string[] };
  /** What `repositories` leads to. */
  readonly top: string;
}

async function oldLayout(
  root: string,
  config: Content,
  layers: readonly Uint8Array[],
): Promise<Written> {
  const names: string[] = [];
  const first = new Map<string, string>();
  for (const [at, bytes] of layers.entries()) {
    const digest = hex(bytes);
    const id = hex(`${names.at(-1) ?? ''} ${digest} ${at}`);
    const parent = at === 0 ? {} : { parent: names.at(-1) };
    const known = first.get(digest);
    await put(root, join(id, 'VERSION'), '1.0');
    await put(root, join(id, 'json'), JSON.stringify({ id, ...parent, os: 'linux' }));
    if (known === undefined) await put(root, join(id, 'layer.tar'), bytes);
    else await symlink(`../${known}/layer.tar`, join(root, id, 'layer.tar'));
    first.set(digest, known ?? id);
    names.push(id);
  }
  const own = `${hex(config.bytes)}.json`;
  await put(root, own, config.bytes);
  const Layers = names.map((id) => `${id}/layer.tar`);
  return { list: { Config: own, Layers }, top: names.at(-1) ?? '' };
}

async function newLayout(
  root: string,
  config: Content,
  layers: readonly Uint8Array[],
): Promise<Written> {
  const blob = async (bytes: Uint8Array, mediaType: string) => {
    const path = `blobs/sha256/${hex(bytes)}`;
    await put(root, path, bytes);
    return { path, descriptor: { mediaType, digest: `sha256:${hex(bytes)}`, size: bytes.length } };
  };
  const own = await blob(config.bytes, 'application/vnd.oci.image.config.v1+json');
  const parts = [];
  for (const bytes of layers) {
    parts.push(await blob(bytes, 'application/vnd.oci.image.layer.v1.tar'));
  }
  const manifest = await blob(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: own.descriptor,
        layers: parts.map(({ descriptor }) => descriptor),
      }),
    ),
    'application/vnd.oci.image.manifest.v1+json',
  );
  const annotations = {
    'io.containerd.image.name': 'docker.io/places/app:v1',
    'org.opencontainers.image.ref.name': 'v1',
  };
  const index = { schemaVersion: 2, manifests: [{ ...manifest.descriptor, annotations }] };
  await put(root, 'index.json', JSON.stringify(index));
  await put(root, 'oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return {
    list: { Config: own.path, Layers: parts.map(({ path }) => path) },
    top: hex(layers.at(-1) ?? ''),
  };
}

async function put(root: string, path: string, bytes: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), bytes);
}

function hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
