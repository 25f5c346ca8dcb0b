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

  link(repository: Repository, digest: Digest): string {
    return path.join(this.repository(repository), '_links', algorithmOf(digest), hexOf(digest));
  }

  referrers(repository: Repository, digest: Digest): string {
    return path.join(this.repository(repository), '_referrers', algorithmOf(digest), hexOf(digest));
  }

  get layout(): string {
    return path.join(this.root, 'oci-layout');
  }

  get index(): string {
    return path.join(this.root, 'index.json');
  }

  get lock(): string {
    return path.join(this.root, 'lock');
  }
}
