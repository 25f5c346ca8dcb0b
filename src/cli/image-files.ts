import type { Platform } from '../core/platform.ts';
import { choose } from '../image/choose.ts';
import type { FetchedEvent, ImageLayers, ReadOptions } from '../image/files/image-layers.ts';
import type { Location } from '../image/location.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { opening } from './opening.ts';

export interface ImageFilesOptions extends Connection {
  readonly platform?: Platform | undefined;
}

/** The files of one image. Disposed, it closes what they are read from. */
export interface ImageFiles extends AsyncDisposable {
  readonly image: ImageLayers;
  /** For every reading: ends it when the user interrupts, and counts its bytes. */
  readonly reading: ReadOptions;
}

/** Bytes of layers. */
export interface Account {
  readonly fetched: (event: FetchedEvent) => void;
  readonly received: (event: UpstreamEvent) => void;
  /** One line for people: what was read, and how much of that the network brought. */
  told(): string;
}

export function account(): Account {
  const bytes = { read: 0, network: 0 };
  return {
    fetched: (event) => void (bytes.read += event.bytes),
    received: (event) => {
      if (event.type === 'received' && event.kind === 'blob') bytes.network += event.bytes;
    },
    told: () =>
      `${formatBytes(bytes.read)} of layers read, ${formatBytes(bytes.network)} of blobs over the network`,
  };
}

/** Opens an image, of an index the one for the platform, to look into its layers. */
export async function imageFiles(
  where: Location,
  { platform, ...connection }: ImageFilesOptions,
  context: Context,
  counted: Account = account(),
): Promise<ImageFiles> {
  const signal = context.interruption.listen();
  await using held = new AsyncDisposableStack();
  const client = held.use(
    await opening(connection, context, { signal, observe: counted.received }),
  );
  const { source, repository, at } = held.use(await client.open(where));
  const { layers } = (await choose(source, repository, at, platform)).image;
  const kept = held.move();
  return {
    image: { source, repository, layers },
    reading: { signal, observe: counted.fetched },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
