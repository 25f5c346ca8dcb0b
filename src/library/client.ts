/** `layover`: the way to registries, and images brought from one place to another. */
export { client, type Client, type ClientOptions } from '../image/client.ts';
export {
  formatLocation,
  parseLocation,
  parseReference,
  type ImageName,
  type Location,
} from '../image/location.ts';
export type { Opened, OpenedSink } from '../image/opened.ts';
export { pull, type TransferOptions } from '../image/pull.ts';
export { push } from '../image/push.ts';
export type { Copied, CopiedImage, Passage } from '../image/copy/copy.ts';
export type { CopyEvent, Origin } from '../image/copy/event.ts';
export type { Selection } from '../image/copy/plan.ts';
export { choose, type Chosen } from '../image/choose.ts';
export {
  buildSteps,
  readImageConfig,
  type BuildStep,
  type ImageConfig,
} from '../image/image-config.ts';
export { contentCache, type CachedOptions, type Caching } from '../image/cache/cached.ts';
export { storedCredentials } from '../image/logins/credential-files.ts';
export {
  firstCredentials,
  givenCredentials,
  type Credentials,
  type CredentialSource,
} from '../upstream/credentials.ts';
export { environmentProxy } from '../upstream/proxy.ts';
export type { UpstreamEvent } from '../upstream/event.ts';
export { ERRORS, RegistryError, type ErrorCode } from '../core/errors.ts';
export { formatPlatform, hostPlatform, parsePlatform, type Platform } from '../core/platform.ts';
