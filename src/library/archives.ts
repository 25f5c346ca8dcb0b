/** `layover/archives`: OCI layouts, OCI archives, docker archives and a mirror's store on this disk. */
export {
  openPlace,
  readPlace,
  type Place,
  type PlaceContents,
} from '../image/archive/open-place.ts';
export { openSink, type SinkOptions } from '../image/archive/open-sink.ts';
export type { UnpackOptions } from '../image/archive/unpack.ts';
export type { Listed, OpenedPlace, OpenedSink } from '../image/opened.ts';
export { openStore, storedRepositories } from '../image/store-source.ts';
