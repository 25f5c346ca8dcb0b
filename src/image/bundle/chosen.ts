import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { ImagePattern } from '../../core/image-pattern.ts';
import {
  formatReference,
  type Reference,
  type Repository,
  type Tag,
} from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';
import { repositories } from '../../store/catalog.ts';
import type { Paths } from '../../store/paths.ts';
import { readSmallBlob } from '../small-blob.ts';
import { closureOf } from './closure.ts';
import { fetchingHint } from './hint.ts';
import { describeMissing, type Closure, type ClosureRules } from './closure-parts.ts';

/** An image that is to be exported, with everything that belongs to it. */
export interface Chosen {
  readonly reference: Reference;
  readonly root: Descriptor;
  readonly closure: Closure;
}

export interface ChoosingOptions extends ClosureRules {
  /** Each has to fit one image at least. */
  readonly patterns: readonly ImagePattern[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every image that one of the patterns fits, and what signing tools keep under tags beside it; by name.
 * @throws RegistryError MANIFEST_UNKNOWN listing the patterns that fit none, or as `closureOf`
 */
export async function chosenImages(
  paths: Paths,
  source: Source,
  options: ChoosingOptions,
): Promise<readonly Chosen[]> {
  const names = await matching(paths, source, options);
  const chosen = new Map<string, Chosen>();
  const add = async (reference: Reference): Promise<void> => {
    options.signal?.throwIfAborted();
    const { repository, at } = reference;
    const name = formatReference(repository, at);
    if (chosen.has(name)) return;
    const { descriptor: root } = await source.manifest(repository, at);
    const closure = await closureOf(name, root, closureSource(source, repository), options);
    chosen.set(name, { reference, root, closure });
    if (options.referrers === 'none') return;
    for (const tag of await tagsAbout(source, repository, closure))
      await add({ repository, at: tag });
  };
  for (const reference of names) await add(reference);
  return [...chosen.values()].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Every image that one of the patterns fits. @throws RegistryError MANIFEST_UNKNOWN listing those that fit none */
async function matching(
  paths: Paths,
  source: Source,
  { patterns, ...rules }: ChoosingOptions,
): Promise<readonly Reference[]> {
  const unmatched = new Set(patterns);
  const found: Reference[] = [];
  for (const repository of await repositories(paths)) {
    const inside = patterns.filter((pattern) => pattern.inRepository(repository));
    if (inside.length === 0) continue;
    for (const { digest, text } of inside) {
      if (digest === undefined || !(await isThere(source, repository, digest))) continue;
      found.push({ repository, at: digest });
      for (const one of inside) if (one.text === text) unmatched.delete(one);
    }
    for (const tag of await tagsOf(source, repository)) {
      const fitting = inside.filter((pattern) => pattern.byTag(repository, tag));
      if (fitting.length === 0) continue;
      for (const pattern of fitting) unmatched.delete(pattern);
      found.push({ repository, at: tag });
    }
  }
  if (unmatched.size === 0) return found;
  const texts = [...unmatched].map(({ text }) => text);
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `the store holds nothing that fits ${texts.join(' ')}: ${fetchingHint(texts, rules)}`,
  );
}

/** What signing tools keep beside an image: tags named after the digest of what they are about. */
async function tagsAbout(
  source: Source,
  repository: Repository,
  { content }: Closure,
): Promise<readonly Tag[]> {
  const names = new Set(
    [...content.values()]
      .filter(({ kind }) => kind === 'manifest')
      .map(({ descriptor: { digest } }) => `${algorithmOf(digest)}-${hexOf(digest)}`),
  );
  const tags = await tagsOf(source, repository);
  return tags.filter((tag) => names.has(tag.replace(/\.(?:sig|att|sbom)$/, '')));
}

async function tagsOf(source: Source, repository: Repository): Promise<readonly Tag[]> {
  return (await orNone(source.tags(repository)))?.items ?? [];
}

async function isThere(source: Source, repository: Repository, digest: Digest): Promise<boolean> {
  return (await orNone(source.resolve(repository, digest))) !== undefined;
}

/** What is not there is `undefined`. */
async function orNone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

function closureSource(source: Source, repository: Repository) {
  return {
    manifest: (digest: Digest) => orNone(source.manifest(repository, digest)),
    size: async (digest: Digest) => (await orNone(source.stat(repository, digest)))?.size,
    config: (descriptor: Descriptor) => orNone(readSmallBlob(source, repository, descriptor)),
    referrers: async (digest: Digest) =>
      (await orNone(source.referrers(repository, digest)))?.items ?? [],
  };
}

/** @throws RegistryError BLOB_UNKNOWN, with everything that is wanted and not there */
export function refuseMissing(chosen: readonly Chosen[], rules: ClosureRules): void {
  const lacking = chosen.filter(({ closure }) => closure.missing.length > 0);
  if (lacking.length === 0) return;
  const names = lacking.map(nameOf);
  const lines = lacking.flatMap((one) =>
    one.closure.missing.map((missing) => `  ${nameOf(one)}: ${describeMissing(missing)}`),
  );
  throw new RegistryError(
    'BLOB_UNKNOWN',
    `the store lacks some of what is to be exported: ${fetchingHint(names, rules)}, or choose platforms that are there (--platform)\n${lines.join('\n')}`,
    { detail: { missing: lacking.flatMap(({ closure }) => closure.missing) } },
  );
}

function nameOf({ reference: { repository, at } }: Chosen): string {
  return formatReference(repository, at);
}
