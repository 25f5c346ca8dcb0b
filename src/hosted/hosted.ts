import type { Descriptor } from '../core/descriptor.ts';
import type { Algorithm, Digest } from '../core/digest.ts';
import type { Repository, Tag } from '../core/reference.ts';
import type { Source } from '../core/source.ts';

/**
 * Where a client's push of a blob has got to. Uploads outlive connections and the process; one that
 * nobody has touched for `uploads.expireAfter` is thrown away.
 */
export interface UploadStatus {
  /** A UUID, lower case; good only together with the repository it was started in. */
  readonly id: string;
  /** Bytes kept so far, and so the position of the next one. */
  readonly offset: number;
}

/** Bytes that a client adds to an upload. */
export interface Piece {
  /**
   * Read once, with back-pressure from the disk; never read where the call throws before the first
   * byte. Where it throws, what came before is kept and its error is thrown on.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** The position that the client claims for the first byte (`Content-Range`); left out: the end. */
  readonly from?: number | undefined;
  /** How many bytes the client announced (`Content-Range` or `Content-Length`); left out: unknown. */
  readonly size?: number | undefined;
  /**
   * Breaks off what the body comes over, so that reading it throws: somebody else goes on with the
   * upload. Left out: whoever comes waits for the body to end.
   */
  readonly cut?: (() => void) | undefined;
}

/**
 * Uploads of blobs (distribution specification, "Pushing blobs"). Requests for one upload run one
 * after the other in the order they came, except that `status` and `cancel` wait for nobody, and that
 * nobody waits for a client that is most likely gone: while the body of one is being read,
 * - a piece with a position goes on at once, and that one is cut, if it begins where the bytes end; if
 *   it does not it is told so at once (RANGE_INVALID), and that one is left alone,
 * - a `finish` without a piece goes on at once, and that one is cut, if the bytes are the blob already.
 * What was written stays in either case, and what is written begins where that ends.
 *
 * Unless said otherwise everything throws `RegistryError`
 * - BLOB_UPLOAD_UNKNOWN: there is no such upload in this repository (finished, cancelled, expired,
 *   another repository's, not a UUID),
 * - SIZE_INVALID with status 413: more than `uploads.maxSize`; the upload is gone,
 * - STORAGE_UNAVAILABLE: the disk is full or broken; what was kept is kept.
 */
export interface Uploads {
  /**
   * `algorithm` is what the client means to finish with (`digest-algorithm=`); another one at the
   * end costs a second reading and is no error.
   */
  start(repository: Repository, algorithm?: Algorithm): Promise<UploadStatus>;
  status(repository: Repository, id: string): Promise<UploadStatus>;
  /**
   * @throws RegistryError RANGE_INVALID (416), with `detail.offset`, when `from` is not the end;
   * SIZE_INVALID when the piece is longer or shorter than announced. The upload goes on in both cases.
   */
  append(repository: Repository, id: string, piece: Piece): Promise<UploadStatus>;
  /**
   * Adds the last piece, if there is one, and makes the whole a blob of the repository. Settles when
   * the disk has it for certain.
   * @throws RegistryError as `append` does; DIGEST_INVALID when the content is another: the upload is gone
   */
  finish(
    repository: Repository,
    id: string,
    digest: Digest,
    piece?: Piece,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /**
   * The whole blob at once (single POST): nothing remains of a failure.
   * @throws RegistryError DIGEST_INVALID, SIZE_INVALID (also 413), STORAGE_UNAVAILABLE
   */
  whole(
    repository: Repository,
    digest: Digest,
    piece: Piece,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Also while another request writes to the upload: that one fails. */
  cancel(repository: Repository, id: string): Promise<void>;
}

/** Blobs that are here by way of other repositories (distribution specification, "Mounting a blob"). */
export interface Mounts {
  /**
   * Lets the repository have a blob of another one, hosted or mirrored, without its bytes; `from`
   * left out: of any from which that may be done. `undefined` when it cannot, for which the answer is an
   * upload (202).
   */
  mount(
    repository: Repository,
    digest: Digest,
    from?: Repository,
  ): Promise<{ readonly digest: Digest; readonly size: number } | undefined>;
}

/** What a manifest is pushed as: by its digest, under tags, or both. */
export interface ManifestPut {
  /** As they came: at most 4 MiB (`LARGEST_PUSHED`). */
  readonly bytes: Uint8Array;
  /** The `Content-Type` header. */
  readonly contentType: string | undefined;
  /** What the client says the digest is (a digest in the path). */
  readonly digest?: Digest | undefined;
  /** Of the digest where the client names none; sha256 when left out. */
  readonly algorithm?: Algorithm | undefined;
  /** The tag in the path, or those of `?tag=`; all of them move together. */
  readonly tags: readonly Tag[];
}

export interface ManifestPlaced {
  readonly descriptor: Descriptor;
  /** For `OCI-Subject`: what the manifest refers to, there or not. */
  readonly subject?: Digest;
}

/** Bytes; a larger manifest is refused with 413. */
export const LARGEST_PUSHED = 4 * 1024 * 1024;

/** Writes other than uploads (distribution specification, "Pushing Manifests", "Content Management"). */
export interface Changes {
  /**
   * Everything or nothing, also across a crash. Settles when the disk has it for certain.
   * @throws RegistryError MANIFEST_INVALID for what is not a manifest, or lies about its type;
   * DIGEST_INVALID; SIZE_INVALID with status 413; MANIFEST_BLOB_UNKNOWN, with the digests that are
   * missing as `detail`; STORAGE_UNAVAILABLE
   */
  putManifest(repository: Repository, put: ManifestPut): Promise<ManifestPlaced>;
  /** The manifest stays. @throws RegistryError MANIFEST_UNKNOWN, NAME_UNKNOWN */
  deleteTag(repository: Repository, tag: Tag): Promise<void>;
  /**
   * With every tag that means it.
   * @throws RegistryError MANIFEST_UNKNOWN, NAME_UNKNOWN; DENIED (405), with `detail.neededBy`, while an
   * index here lists it and nothing may be missing
   */
  deleteManifest(repository: Repository, digest: Digest): Promise<void>;
  /**
   * Takes the blob out of this repository.
   * @throws RegistryError BLOB_UNKNOWN, NAME_UNKNOWN; DENIED (405) while a manifest here lists it
   */
  deleteBlob(repository: Repository, digest: Digest): Promise<void>;
}

/**
 * The repositories that live here: readable as any other source, and writable. All repositories it
 * is asked about have `HOSTED` for a host; see `isHosted`. Reading throws NAME_UNKNOWN from `tags` for a
 * repository that nothing was ever pushed to.
 */
export interface Hosted extends Source {
  readonly uploads: Uploads;
  readonly mounts: Mounts;
  readonly changes: Changes;
}
