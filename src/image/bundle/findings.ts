import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { IndexEntry } from '../../core/image-index.ts';
import { isIndexType } from '../../core/image-manifest.ts';
import { formatPlatform, matchesPlatform, type Platform } from '../../core/platform.ts';
import { read, type Closure, type Missing, type Part } from './closure-parts.ts';
import type { LeftOut, WhyLeftOut } from './lock.ts';

/** What has been found of an image so far, each piece once. */
export class Findings {
  readonly content = new Map<Digest, Part>();
  /** As `formatPlatform` writes them. */
  readonly platforms = new Set<string>();
  readonly referrers = new Map<Digest, Descriptor>();
  readonly missing = new Map<Digest, Missing>();
  /** Manifests of which some content was left out or is missing. */
  readonly partial = new Set<Digest>();
  /** What is wanted to be run: images, and indexes of such. */
  readonly wanted = new Set<Digest>();
  readonly #leftOut = new Map<Digest, LeftOut>();

  /** What it comes to by now. */
  get closure(): Closure {
    return {
      content: this.content,
      platforms: [...this.platforms].toSorted(),
      referrers: [...this.referrers.values()],
      partial: this.partial,
      // What another platform has as well was not left out.
      leftOut: [...this.#leftOut.values()].filter(({ digest }) => !this.content.has(digest)),
      missing: [...this.missing.values()],
      whole: [...this.wanted].filter((digest) => this.#isWholeImage(digest)),
    };
  }

  #isWholeImage(digest: Digest): boolean {
    const part = this.content.get(digest);
    const image = part?.kind === 'manifest' && !isIndexType(part.descriptor.mediaType);
    return image && !this.partial.has(digest);
  }

  /** It does not come along. */
  leave({ digest, mediaType, size, platform }: IndexEntry, why: WhyLeftOut): void {
    const named = platform === undefined ? {} : { platform: formatPlatform(platform) };
    this.#leftOut.set(digest, { digest, mediaType, size, ...named, why });
  }

  /** It comes along after all. */
  takeBack(digest: Digest): void {
    this.#leftOut.delete(digest);
  }

  /** Those of the platforms that nothing was found for; none where the image states no platform at all. */
  lacking(platforms: readonly Platform[]): readonly Platform[] {
    if (this.platforms.size + this.#leftOut.size === 0) return [];
    return platforms.filter(
      (one) => ![...this.platforms].some((text) => matchesPlatform(one, read(text))),
    );
  }

  /** All platforms that have been come upon, each once, as messages list them. */
  get told(): string {
    const others = [...this.platforms, ...this.#leftOut.values().map(({ platform }) => platform)];
    return [...new Set(others.filter((text) => text !== undefined))].toSorted().join(', ');
  }
}
