import type { NamePattern } from '../core/name-pattern.ts';
import type { Pin } from '../hosted/mark.ts';
import type { Sparse } from '../hosted/references.ts';
import type { ScheduleEntry } from '../image/prefetch/schedule.ts';
import type { TagPolicy } from '../mirror/policy.ts';
import type { Address } from './address.ts';

/** The configuration, checked and complete. Durations are milliseconds, sizes are bytes. */
export interface Config {
  readonly listen: Address;
  /** `undefined`: plain HTTP. */
  readonly tls: ServerTls | undefined;
  readonly admin: { readonly listen: Address };
  readonly storage: StorageConfig;
  /** A key of `upstreams`; `undefined`: names without a registry are not served. */
  readonly defaultUpstream: string | undefined;
  /** Of repositories that live here. */
  readonly hosted: readonly NamePattern[];
  readonly offline: boolean;
  /** For upstreams see `Upstream.tags`, which has this merged in. */
  readonly tags: TagPolicy;
  readonly downloads: { readonly abandonAfter: number; readonly retries: number };
  readonly whenRateLimited: 429 | 503;
  readonly uploads: {
    readonly maxSize: number;
    readonly expireAfter: number;
    readonly sparse: Sparse;
  };
  readonly gc: {
    /** 0: never. */
    readonly every: number;
    readonly grace: number;
    readonly untaggedFor: number;
    readonly pins: readonly Pin[];
  };
  /** What is fetched before anybody asks for it. */
  readonly prefetch: readonly ScheduleEntry[];
  readonly drain: number;
  readonly log: { readonly level: LogLevel };
  /** By name, in lower case: the whole of the world that requests can reach. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Paths of PEM files. With `clientCa`, clients have to show a certificate that it signed. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

export interface StorageConfig {
  /** A folder; relative to the working folder. */
  readonly path: string;
  readonly maxSize: number;
  /** A share of `maxSize`, above 0 and at most 1. */
  readonly lowWater: number;
  readonly minFree: number;
  /** 0: there is none. */
  readonly maxAge: number;
  /** Patterns of images, as they were written. */
  readonly pins: readonly string[];
  /** Bytes a second; 0: no background verification. */
  readonly verifyRate: number;
}

export interface Upstream {
  /** How users write it, lower case: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Scheme, host, port and path prefix, without a slash at the end. */
  readonly url: string;
  /** Like `url`; tried before it, in order. */
  readonly mirrors: readonly string[];
  /** Other names for it, lower case. */
  readonly aliases: readonly string[];
  /** `undefined`: anonymous. */
  readonly credentials: UpstreamCredentials | undefined;
  readonly tls: UpstreamTls;
  /** `undefined`: as the environment says. */
  readonly proxy: string | undefined;
  /** Host names and IP addresses, with or without a port, and CIDR ranges. */
  readonly allowPrivate: readonly string[];
  readonly maxConnections: number;
  /** Bytes of the budget that its content may have; `undefined`: all of it. */
  readonly maxSize: number | undefined;
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: TagPolicy;
}

export type UpstreamCredentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** The path of a file that holds the password. */
  | { readonly kind: 'file'; readonly username: string; readonly passwordFile: string }
  /** The name of an environment variable that holds the password. */
  | { readonly kind: 'environment'; readonly username: string; readonly passwordEnv: string }
  /** `docker-credential-<helper>` is asked. */
  | { readonly kind: 'helper'; readonly helper: string };

/** Paths of PEM files. `cert` and `key` come together or not at all. */
export interface UpstreamTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly insecureSkipVerify: boolean;
}
