import type { Descriptor } from '../core/descriptor.ts';
import { algorithmOf, digestOf, isDigest, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import {
  isManifestType,
  LARGEST_MANIFEST,
  manifestOf,
  type Manifest,
  type Resolution,
} from '../core/manifest.ts';
import { bareType, MANIFEST_TYPES, MEDIA_TYPES } from '../core/media-type.ts';
import { atDigest, type Tag } from '../core/reference.ts';
import { signedPayload } from '../core/signed-manifest.ts';
import type { Answer } from './answer.ts';
import type { Ask } from './ask.ts';
import { servedBy } from './cache-status.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { lengthOf } from './exchange.ts';
import { invalid } from './failure.ts';

export const acceptManifests = MANIFEST_TYPES.join(', ');

/** HEAD, which costs no pull where pulls are counted; GET where HEAD says too little. */
export async function resolveManifest(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  at: Tag | Digest,
): Promise<Resolution> {
  // The body of a 404 tells whether the registry itself says so, and an answer to HEAD has none.
  const head = { ...ask('HEAD', repository, at), also: [404, 405, 501] };
  const resolution = await endpoint.run(head, effort, async (answer) => {
    using read = answer;
    const descriptor = read.status < 300 ? descriptorFrom(read, at) : undefined;
    return descriptor && { descriptor, ...servedBy(read) };
  });
  if (resolution !== undefined) return resolution;
  const { descriptor, served } = await fetchManifest(endpoint, effort, repository, at);
  return { descriptor, ...(served && { served }) };
}

/**
 * The whole manifest, hashed: under a digest it is what was asked for, under a tag what its own
 * header says, where there is one.
 */
export async function fetchManifest(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  at: Tag | Digest,
): Promise<Manifest> {
  return await endpoint.run(ask('GET', repository, at), effort, async (answer) => {
    using read = answer;
    read.requireIdentity();
    const expected = atDigest(at) ? at : digestHeader(read);
    const manifest = parse(read, await read.read(LARGEST_MANIFEST), expected);
    if (
      expected === undefined ||
      manifest.descriptor.digest === expected ||
      tells(manifest, at, expected)
    ) {
      return { ...manifest, ...servedBy(read) };
    }
    throw invalid(
      read.subject,
      `the manifest's bytes are ${manifest.descriptor.digest}, not ${expected}`,
    );
  });
}

/** Whether the header of a tag's answer has the digest that docker's signed schema 1 goes by. */
function tells({ bytes, descriptor }: Manifest, at: Tag | Digest, said: Digest): boolean {
  if (atDigest(at) || descriptor.mediaType !== MEDIA_TYPES.dockerSchema1Signed) return false;
  const payload = signedPayload(bytes);
  return payload !== undefined && digestOf(payload, algorithmOf(said)) === said;
}

function ask(method: Ask['method'], repository: string, at: Tag | Digest): Ask {
  const path = `/v2/${repository}/manifests/${at}`;
  return { method, kind: 'manifest', repository, path, headers: { accept: acceptManifests } };
}

function parse(answer: Answer, bytes: Uint8Array, expected: Digest | undefined): Manifest {
  const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected);
  try {
    return manifestOf(bytes, answer.header('content-type'), algorithm);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    const as = strangeType(answer);
    throw invalid(answer.subject, `not a manifest${as}: ${cause.message}`, cause);
  }
}

/** What came calls itself something else; what calls itself a manifest, or nothing, is a damaged one. */
function strangeType(answer: Answer): string {
  const type = bareType(answer.header('content-type') ?? '');
  const known: boolean = isManifestType(type);
  return known || !/^[\w.+-]+\/[\w.+-]+$/.test(type) ? '' : ` but ${type}`;
}

/** `undefined` when the headers of an answer to HEAD leave anything open. */
function descriptorFrom(answer: Answer, at: Tag | Digest): Descriptor | undefined {
  if (!answer.identity) return undefined;
  const mediaType = bareType(answer.header('content-type') ?? '');
  const size = lengthOf(answer.response.headers);
  const said = digestHeader(answer);
  const digest = atDigest(at) ? at : said;
  if (digest === undefined || size === undefined || size === 0 || !isManifestType(mediaType)) {
    return undefined;
  }
  const contradicts =
    said !== undefined && said !== digest && algorithmOf(said) === algorithmOf(digest);
  return contradicts || size > LARGEST_MANIFEST ? undefined : { mediaType, digest, size };
}

function digestHeader(answer: Answer): Digest | undefined {
  const value = answer.header('docker-content-digest');
  return value !== undefined && isDigest(value) ? value : undefined;
}
