import path from 'node:path';
import { algorithmOf, hexOf, type Digest } from '../core/digest.ts';
import type { Repository, Tag } from '../core/reference.ts';

/** Where things are in a store (docs/architecture.md, "On disk"). Everything that goes in has been parsed, so nothing leads out. */
export class Paths {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  get blobs(): string {
    return path.join(this.root, 'blobs');
  }

  blob(digest: Digest): string {
    return path.join(this.blobs, algorithmOf(digest), hexOf(digest));
  }

  get ingests(): string {
    return path.join(this.root, 'ingest');
  }

  ingest(digest: Digest): string {
    return path.join(this.ingests, `${algorithmOf(digest)}-${hexOf(digest)}`);
  }

  get uploads(): string {
    return path.join(this.root, 'uploads');
  }

  get journal(): string {
    return path.join(this.root, 'journal');
  }

  get damaged(): string {
    return path.join(this.root, 'damaged');
  }

  get repositories(): string {
    return path.join(this.root, 'repositories');
  }

  repository({ host, path: name }: Repository): string {
    return path.join(this.repositories, host, name);
  }

  tags(repository: Repository): string {
    return path.join(this.repository(repository), '_tags');
  }

  tag(repository: Repository, tag: Tag): string {
    return path.join(this.tags(repository), tag);
  }

  links(repository: Repository): string {
    return path.join(this.repository(repository), '_links');
  }

  link(repository: Repository, digest: Digest): string {
    return path.join(this.links(repository), algorithmOf(digest), hexOf(digest));
  }

  /** That a manifest was imported, and so never leaves by itself. */
  imports(repository: Repository): string {
    return path.join(this.repository(repository), '_imports');
  }

  import(repository: Repository, digest: Digest): string {
    return path.join(this.imports(repository), algorithmOf(digest), hexOf(digest));
  }

  referrers(repository: Repository, digest: Digest): string {
    return path.join(this.repository(repository), '_referrers', algorithmOf(digest), hexOf(digest));
  }

  /** Of a repository that lives here: one file in the folder of the subject, `referrers`. */
  referrer(repository: Repository, subject: Digest, digest: Digest): string {
    const name = `${algorithmOf(digest)}-${hexOf(digest)}`;
    return path.join(this.referrers(repository, subject), name);
  }

  get layout(): string {
    return path.join(this.root, 'oci-layout');
  }

  get index(): string {
    return path.join(this.root, 'index.json');
  }

  /** Sizes, ages and owners of blobs; may be deleted at any time. */
  get blobIndex(): string {
    return path.join(this.root, 'index', 'blobs.db');
  }

  get pins(): string {
    return path.join(this.root, 'pins.json');
  }

  /** When scheduled prefetches last ran. */
  get prefetch(): string {
    return path.join(this.root, 'prefetch.json');
  }

  get lock(): string {
    return path.join(this.root, 'lock');
  }
}
