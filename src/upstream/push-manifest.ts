import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { parseManifest, type Manifest } from '../core/manifest.ts';
import { atDigest, type Tag } from '../core/reference.ts';
import { isTextRecord } from '../core/shape.ts';
import { addReferrer } from './fallback-tag.ts';
import { putManifest } from './put-manifest.ts';
import type { Target } from './upload.ts';

/**
 * Puts a manifest, byte for byte. What refers to another one is listed under the referrers tag where
 * the registry does not say that it keeps the list itself (distribution specification, "Pushing
 * Manifests with Subject").
 * @throws RegistryError DIGEST_INVALID for bytes that are not what the descriptor or `at` says
 */
export async function pushManifest(
  target: Target,
  at: Tag | Digest,
  manifest: Manifest,
): Promise<void> {
  requireOwn(at, manifest);
  const listed = await putManifest(target, at, manifest);
  const subject = subjectOf(manifest);
  if (subject !== undefined && listed === 'by-nobody') {
    await addReferrer(target, subject, referrerOf(manifest));
  }
}

function requireOwn(at: Tag | Digest, { descriptor, bytes }: Manifest): void {
  const { digest } = descriptor;
  const actual = digestOf(bytes, algorithmOf(digest));
  const wrong = actual !== digest ? digest : atDigest(at) && at !== digest ? at : undefined;
  if (wrong === undefined) return;
  throw new RegistryError(
    'DIGEST_INVALID',
    `the manifest to be put as ${wrong} is ${wrong === digest ? actual : digest}`,
  );
}

export function subjectOf({ bytes }: Manifest): Descriptor | undefined {
  return parseDescriptor(parseManifest(bytes)['subject']);
}

/** How a list of referrers names the manifest ("Listing Referrers"). */
function referrerOf({ descriptor, bytes }: Manifest): Descriptor {
  const { artifactType, config, annotations } = parseManifest(bytes);
  const own = typeof artifactType === 'string' && artifactType !== '' ? artifactType : undefined;
  const type = own ?? parseDescriptor(config)?.mediaType;
  const { mediaType, digest, size } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(type !== undefined && { artifactType: type }),
    ...(isTextRecord(annotations) && { annotations }),
  };
}
