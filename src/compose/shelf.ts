import type { Config } from '../config/config.ts';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { HOSTED } from '../core/hosted.ts';
import type { Reference, Repository } from '../core/reference.ts';
import type { HostedRepositories } from '../hosted/repositories.ts';
import type { Shelf } from '../image/bundle/shelf.ts';
import { createRouter } from '../mirror/route.ts';
import { isLinked } from '../store/catalog.ts';
import type { OpenStore } from './store.ts';

export interface ShelfSetting {
  readonly store: OpenStore;
  readonly hosted: HostedRepositories;
  /** The one in effect. */
  readonly config: () => Pick<Config, 'upstreams' | 'hosted' | 'uploads' | 'defaultUpstream'>;
  /** Whoever serves the store is to forget what refers to something. */
  readonly renew?: (repository: Repository, subject: Digest) => void;
}

/** An open store with its limits and its names, to be imported into. */
export function shelfOf({ store, hosted, config, renew = () => {} }: ShelfSetting): Shelf {
  const { paths, content, uploads, links, tags, referrers, records, housekeeping } = store;
  const { uses, room, keeper, index } = housekeeping;
  return {
    paths,
    content,
    uploads,
    links,
    tags,
    referrers,
    uses,
    room,
    keep: (repository, digest, state) => keeper.imported(repository, digest, state),
    settled: () => keeper.settled(),
    async discard(digest) {
      const isNeeded = async (): Promise<boolean> =>
        index.links.repositoriesOf(digest).length > 0 ||
        keeper.why(digest) !== undefined ||
        // An index that was lost, or could not be written, knows of neither.
        (!housekeeping.linked && (await isLinked(paths, digest)));
      await hosted.exclusively(digest, () =>
        uses.remove(digest, async () => {
          if (!(await isNeeded())) await content.remove(digest);
        }),
      );
    },
    renew,
    place: (name, lives) => placeOf(config(), name, lives),
    hosted: {
      sparse: () => config().uploads.sparse,
      tag: async (repository, tag) => (await records.tag(repository, tag))?.descriptor,
      place: ({ blobs, manifests, beside }, task) =>
        hosted.place(
          {
            blobs: blobs.map(({ repository, descriptor: { digest, size } }) => {
              return { repository, digest, size };
            }),
            manifests: manifests.map(({ repository, manifest: { bytes, descriptor } }) => {
              const { mediaType: contentType, digest } = descriptor;
              return { repository, put: { bytes, contentType, digest } };
            }),
            beside,
          },
          task,
        ),
    },
  };
}

const HUB = 'docker.io';

function placeOf(
  { upstreams, hosted }: Pick<Config, 'upstreams' | 'hosted'>,
  { repository }: Reference,
  lives: 'hosted' | 'mirrored' | 'anywhere',
): Repository {
  const { host, path } = repository;
  const fits = hosted.some((pattern) => pattern.matches(path));
  if (lives === 'hosted' || (lives === 'anywhere' && host === HUB && fits)) {
    if (fits) return { host: HOSTED, path };
    throw new RegistryError(
      'NAME_UNKNOWN',
      `it lives in a mirror itself, and no pattern under the configuration's key hosted fits it here`,
    );
  }
  const router = createRouter({ upstreams: [...upstreams.values()], defaultUpstream: undefined });
  const known = router.upstream({ ns: [host] });
  return known === undefined ? repository : { host: known, path };
}
