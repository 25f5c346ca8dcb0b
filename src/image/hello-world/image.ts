import { gzipSync } from 'node:zlib';
import { digestOf } from '../../core/digest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import type { SmallFile } from '../archive/archive-layout.ts';
import { LAYOUT_MARKER } from '../archive/index-json.ts';
import { blobPath, CONTAINERD_NAME, REF_NAME } from '../archive/oci-layout.ts';
import { padding, tarHeader, TRAILER } from '../archive/tar-write.ts';
import { writingProgram, type Machine } from './program.ts';

/** What the image is called wherever it is served. */
export const HELLO_WORLD = 'docker.io/library/hello-world:latest';

/** What the program says. */
export const GREETING = `
Hello from Layover!

Your container runtime has asked this mirror for an image, got an index, the
manifest for its own platform, a configuration and a layer, and has run the
program in it. All of it was made by the mirror: no registry was asked.

Give the mirror a network, and every image takes the same way.
`;

const MACHINES: readonly Machine[] = ['amd64', 'arm64'];
const PROGRAM = 'hello';
const EPOCH = '1970-01-01T00:00:00Z';

/** An image for two platforms that greets whoever runs it, as an OCI archive: the same bytes everywhere. */
export function helloWorldArchive(): Buffer {
  const content: SmallFile[] = [];
  const put = (mediaType: string, bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    content.push({ name: blobPath(digest), bytes });
    return { mediaType, digest, size: bytes.length };
  };
  const images = MACHINES.map((machine) => {
    const layer = layerFor(machine);
    const manifest = json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: put('application/vnd.oci.image.config.v1+json', configFor(machine, layer)),
      layers: [put('application/vnd.oci.image.layer.v1.tar+gzip', packed(layer))],
    });
    const platform = { architecture: machine, os: 'linux', ...VARIANTS[machine] };
    return Object.assign(put(MEDIA_TYPES.ociManifest, manifest), { platform });
  });
  const index = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: images });
  const named = {
    ...put(MEDIA_TYPES.ociIndex, index),
    annotations: { [CONTAINERD_NAME]: HELLO_WORLD, [REF_NAME]: HELLO_WORLD },
  };
  return tar([
    { name: 'oci-layout', bytes: LAYOUT_MARKER },
    {
      name: 'index.json',
      bytes: json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [named] }),
    },
    ...content,
  ]);
}

const VARIANTS: Readonly<Record<Machine, object>> = { amd64: {}, arm64: { variant: 'v8' } };

function layerFor(machine: Machine): Buffer {
  return tar([{ name: PROGRAM, bytes: writingProgram(machine, GREETING), mode: 0o755 }]);
}

function configFor(machine: Machine, layer: Uint8Array): Buffer {
  return json({
    created: EPOCH,
    architecture: machine,
    os: 'linux',
    ...VARIANTS[machine],
    config: { Cmd: [`/${PROGRAM}`] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created: EPOCH, created_by: 'layover: a program that greets' }],
  });
}

/** Stored and not squeezed, with the name of no system: what zlib makes of it may change. */
function packed(layer: Uint8Array): Buffer {
  const bytes = gzipSync(layer, { level: 0 });
  bytes[OS] = UNKNOWN_OS;
  return bytes;
}

/** Where a gzip header says on what system it was made (RFC 1952 section 2.3), and the value for any. */
const OS = 9;
const UNKNOWN_OS = 255;

function tar(files: readonly (SmallFile & { readonly mode?: number })[]): Buffer {
  const parts = files.flatMap(({ name, bytes, mode }) => [
    tarHeader({ name, size: bytes.length, ...(mode !== undefined && { mode }) }),
    bytes,
    Buffer.alloc(padding(bytes.length)),
  ]);
  return Buffer.concat([...parts, TRAILER]);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
