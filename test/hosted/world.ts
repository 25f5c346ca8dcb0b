import type { TestContext } from 'node:test';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf, type Algorithm, type Digest } from '../../src/core/digest.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag, type Repository } from '../../src/core/reference.ts';
import type { ManifestPlaced } from '../../src/hosted/hosted.ts';
import {
  hostedRepositories,
  type HostedOptions,
  type HostedRepositories,
  type HostedRules,
} from '../../src/hosted/repositories.ts';
import { Uses } from '../../src/store/budget/uses.ts';
import { diskStore } from '../../src/store/disk.ts';
import { diskLinks } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { Records } from '../../src/store/records.ts';
import { UploadStore } from '../../src/store/uploads.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

export const MiB = 1024 * 1024;
export const HOUR = 60 * 60 * 1000;

export interface World {
  readonly hosted: HostedRepositories;
  readonly records: Records;
  readonly paths: Paths;
  readonly mirrored: ReturnType<typeof diskLinks>;
}

/** The store in the folder, as a server finds it when it starts. */
export async function openWorld(
  folder: string,
  options: Partial<HostedOptions & HostedRules> = {},
): Promise<World> {
  const paths = new Paths(folder);
  const uses = new Uses();
  const content = await diskStore({ paths, uses });
  const records = new Records(paths);
  await records.recover();
  const mirrored = diskLinks(paths);
  const hosted = hostedRepositories({
    records,
    content,
    uploads: new UploadStore({ paths }),
    uses,
    mirrored,
    mountable: async () => true,
    rules: () => ({
      sparse: 'indexes',
      maxSize: 64 * MiB,
      expireAfter: 24 * HOUR,
      grace: HOUR,
      untaggedFor: 24 * HOUR,
      pins: [],
      ...options,
    }),
    ...options,
  });
  return { hosted, records, paths, mirrored };
}

export function repository(path: string): Repository {
  return { host: HOSTED, path };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

/** Bytes that come, and then the client is gone. */
export async function* cut(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
  throw new Error('the client is gone');
}

export function piece(content: Uint8Array, from?: number) {
  return { body: chunks(content), ...(from !== undefined && { from }) };
}

export async function pushBlob(
  { hosted }: World,
  to: Repository,
  content: Uint8Array,
  algorithm: Algorithm = 'sha256',
): Promise<Descriptor> {
  const digest = digestOf(content, algorithm);
  const { id } = await hosted.uploads.start(to, algorithm);
  await hosted.uploads.append(to, id, piece(content));
  const { size } = await hosted.uploads.finish(to, id, digest);
  return { mediaType: 'application/octet-stream', digest, size };
}

export interface ImageParts {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly [other: string]: unknown;
}

export function imageBytes(parts: ImageParts): Uint8Array {
  return bytes(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, ...parts }));
}

export function indexBytes(manifests: readonly Descriptor[], others: object = {}): Uint8Array {
  return bytes(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests, ...others }),
  );
}

export function put(
  { hosted }: World,
  to: Repository,
  manifest: Uint8Array,
  ...tags: readonly string[]
): Promise<ManifestPlaced> {
  const { mediaType } = JSON.parse(new TextDecoder().decode(manifest)) as { mediaType: string };
  return hosted.changes.putManifest(to, {
    bytes: manifest,
    contentType: mediaType,
    tags: tags.map((tag) => parseTag(tag)),
    ...(tags.length === 0 && { digest: digestOf(manifest) }),
  });
}

/** An image of two blobs made of the text, pushed. */
export async function pushImage(
  world: World,
  to: Repository,
  text: string,
  ...tags: readonly string[]
): Promise<{ readonly manifest: Descriptor; readonly blobs: readonly Digest[] }> {
  const config = await pushBlob(world, to, bytes(`{"config":"${text}"}`));
  const layer = await pushBlob(world, to, bytes(`layer of ${text}`));
  const { descriptor } = await put(world, to, imageBytes({ config, layers: [layer] }), ...tags);
  return { manifest: descriptor, blobs: [config.digest, layer.digest] };
}

export async function read(world: World, from: Repository, digest: Digest): Promise<Buffer> {
  await using blob = await world.hosted.blob(from, digest);
  const parts: Uint8Array[] = [];
  for await (const part of blob.body) parts.push(part);
  return Buffer.concat(parts);
}

/** A folder that is gone when the test is over. */
export async function temporary(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** For `assert.rejects`: an error of the registry with this code. */
export const code = (expected: string, status?: number) => (error: unknown) =>
  error instanceof Error &&
  'code' in error &&
  error.code === expected &&
  (status === undefined || ('status' in error && error.status === status));
