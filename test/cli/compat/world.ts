import { EventEmitter } from 'node:events';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { toolFor } from '../../../src/cli/compat/tools.ts';
import { terminalInput } from '../../../src/cli/input.ts';
import { interruption } from '../../../src/cli/interruption.ts';
import { connect } from '../../../src/compose/client.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { walkTar } from '../../../src/layer/tar.ts';
import type { Registry } from '../../fixtures/registry.ts';
import { startRegistry, type RegistryOptions } from '../../fixtures/registry.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { readFile } from 'node:fs/promises';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** What standard input holds. */
  readonly typed?: string;
  readonly watched?: 'yes' | 'no';
  /** Ends the run as Ctrl-C does. */
  readonly signals?: EventEmitter;
}

/** Runs a tool over the real client, in a home of its own. */
export async function ran(
  name: string,
  line: readonly string[],
  home: string,
  options: RunOptions = {},
): Promise<Ran> {
  const told = { out: '', error: '', bytes: [] as Uint8Array[] };
  const { environment = {}, typed = '', watched = 'no' } = options;
  const surroundings = { HOME: home, ...environment };
  const interrupted = interruption(options.signals ?? new EventEmitter());
  using input = terminalInput({
    stdin: Readable.from(typed === '' ? [] : [Buffer.from(typed)]),
    prompts: new Writable({
      write(chunk: Buffer, _encoding, done) {
        told.error += chunk.toString();
        done();
      },
    }),
    signal: () => interrupted.listen(),
    interrupt() {},
  });
  const tool = toolFor(name);
  if (tool === undefined) throw new Error(`there is no ${name}`);
  const code = await tool(line, {
    version: '1.2.3',
    input,
    interruption: interrupted,
    environment: surroundings,
    actions: async () => {
      throw new Error('a client looks after no mirror');
    },
    connect: async (given) => connect(given, surroundings),
    output: {
      out: (text) => (told.out += text),
      error: (text) => (told.error += text),
      bytes: async (chunk) => void (told.out += Buffer.from(chunk).toString('latin1')),
      columns: 80,
      watched,
    },
  });
  return { code, out: told.out, error: told.error };
}

export interface World extends AsyncDisposable {
  readonly registry: Registry;
  readonly host: string;
  readonly home: string;
  at(name: string): string;
  run(name: string, line: readonly string[], options?: RunOptions): Promise<Ran>;
}

/** A registry on this machine, and a home. */
export async function world(options: RegistryOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const registry = stack.use(await startRegistry(options));
  const owned = stack.move();
  const home = path.join(folder.path, 'home');
  return {
    registry,
    host: registry.host,
    home,
    at: (name) => path.join(folder.path, name),
    run: (name, line, more) => ran(name, line, home, more),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

export interface PutOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  /** `gzip` for all if left out. */
  readonly types?: readonly ('gzip' | 'zstd' | 'tar')[];
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
}

export interface Put {
  readonly manifest: Descriptor & { readonly bytes: Uint8Array };
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const SUFFIX = { gzip: '.tar+gzip', zstd: '.tar+zstd', tar: '.tar' } as const;

/** An image with layers of given bytes. */
export function putImage(
  registry: Registry,
  repository: string,
  tag: string | undefined,
  layers: readonly Uint8Array[],
  { config, types = [], platform = { os: 'linux', architecture: 'amd64' } }: PutOptions = {},
): Put {
  const put = (bytes: Uint8Array, mediaType: string): Descriptor => {
    registry.addBlob(bytes, repository);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const descriptors = layers.map((layer, index) =>
    put(layer, `application/vnd.oci.image.layer.v1${SUFFIX[types[index] ?? 'gzip']}`),
  );
  const configured = put(
    Buffer.from(
      JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [] }, ...config }),
    ),
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = registry.addManifest(repository, tag, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: configured,
    layers: descriptors,
  });
  return { manifest, config: configured, layers: descriptors };
}

/** An index entry of an image. */
export function entryOf({ manifest }: Put, platform: PutOptions['platform']): object {
  const { mediaType, digest, size } = manifest;
  return { mediaType, digest, size, platform };
}

export interface Member {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The files of a tar, in its order. */
export async function membersOf(file: string): Promise<readonly Member[]> {
  const members: Member[] = [];
  const whole = await readFile(file);
  for await (const entry of walkTar(bytesOf(whole))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.content()) chunks.push(Buffer.from(chunk));
    members.push({ name: entry.name, bytes: Buffer.concat(chunks) });
  }
  return members;
}

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
