import { RegistryError } from './errors.ts';
import { isRecord } from './shape.ts';

/** image-spec image-index.md, `platform`. Names are those of Go's `GOOS` and `GOARCH`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

/** What machines, package managers and people call architectures, and what an index calls them. */
const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  x64: ['amd64'],
  i386: ['386'],
  i486: ['386'],
  i586: ['386'],
  i686: ['386'],
  ia32: ['386'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  armv5l: ['arm', 'v5'],
  armv6l: ['arm', 'v6'],
  armv7l: ['arm', 'v7'],
  mipsel: ['mipsle'],
  mips64el: ['mips64le'],
  ppc64el: ['ppc64le'],
};

const OPERATING_SYSTEMS: Readonly<Record<string, string>> = { macos: 'darwin', win32: 'windows' };

const PART = /^[a-z0-9][a-z0-9._-]*$/;

/**
 * Reads `os/architecture[/variant]`, or an architecture alone, which then means linux. Names that
 * machines use (`x86_64`, `aarch64`) become those that an index uses.
 * @throws RegistryError NAME_INVALID
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split('/');
  if (parts.length <= 3 && parts.every((part) => PART.test(part))) {
    const [first = '', second, variant] = parts;
    return second === undefined
      ? normal({ os: 'linux', architecture: first })
      : normal({ os: first, architecture: second, ...(variant !== undefined && { variant }) });
  }
  throw new RegistryError(
    'NAME_INVALID',
    `not a platform: ${JSON.stringify(text.slice(0, 80))}; os/architecture or os/architecture/variant, such as linux/arm64`,
  );
}

/** The `platform` of an index entry or the top of an image config; `undefined` when it states none. */
export function platformOf(value: unknown): Platform | undefined {
  if (!isRecord(value)) return undefined;
  const { os, architecture, variant, 'os.version': osVersion } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' && { variant }),
    ...(typeof osVersion === 'string' && osVersion !== '' && { osVersion }),
  };
}

/** The platform of this machine's containers: those of macOS run linux. */
export function hostPlatform(): Platform {
  const os = process.platform === 'win32' ? 'windows' : 'linux';
  return normal({ os, architecture: process.arch });
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** Whether the one who wants a platform gets it: a variant that nobody names is the usual one. */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  const [a, b] = [normal(wanted), normal(offered)];
  if (a.os !== b.os || a.architecture !== b.architecture) return false;
  if (a.osVersion !== undefined && a.osVersion !== b.osVersion) return false;
  return a.variant === undefined || (a.variant ?? usual(a)) === (b.variant ?? usual(b));
}

/** The variant that an entry without one means. */
function usual({ architecture }: Platform): string | undefined {
  if (architecture === 'arm64') return 'v8';
  return architecture === 'arm' ? 'v7' : undefined;
}

function normal(platform: Platform): Platform {
  const [architecture, variant] = ARCHITECTURES[platform.architecture] ?? [platform.architecture];
  const named = platform.variant ?? variant;
  return {
    ...platform,
    os: OPERATING_SYSTEMS[platform.os] ?? platform.os,
    architecture,
    ...(named !== undefined && { variant: named }),
  };
}
