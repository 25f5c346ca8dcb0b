import type { Present } from './tool.ts';
import type { Name, World } from './world.ts';

/** What a client did with a pull: it must hold exactly the upstream's bytes. */
export interface Pull {
  /** As the client reports it: of the index or of this host's manifest. */
  readonly digest: string;
  /** sha256 of every blob and manifest that it keeps as it came, `sha256:<hex>`. */
  readonly kept?: readonly string[];
  /** Runs the image and returns what it prints, where the client can. */
  readonly ran?: string;
}

/** A client set up so that nothing but the mirror can be reached. A pull starts from nothing. */
export type Client = (name: Name) => Promise<Pull>;

export interface ClientOptions {
  readonly tool: Present;
  readonly world: Pick<World, 'layover' | 'authority'>;
  /** A folder for this client alone; it exists. */
  readonly folder: string;
}

export type MakeClient = (options: ClientOptions) => Promise<Client>;
