import type { Present } from './tool.ts';

/** A client with nothing of its own yet, for names that begin with the registry's address. */
export interface Pusher {
  /** Pushes the image that the layout has under `v1`; tells the digest that it says it pushed. */
  push(layout: string, reference: string): Promise<string>;
  /** Pulls from nothing; tells the digest of the manifest that it ended up with. */
  pull(reference: string): Promise<string>;
}

export interface PusherOptions {
  readonly tool: Present;
  /** A folder for this client alone; it exists. The layouts are inside of it as well. */
  readonly folder: string;
}

export type MakePusher = (options: PusherOptions) => Promise<Pusher>;
