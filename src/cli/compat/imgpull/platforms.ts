import { RegistryError } from '../../../core/errors.ts';
import type { Platform } from '../../../core/platform.ts';
import type { Values } from './arguments.ts';

const COMMON = ['386', 'amd64', 'arm'];

/** What imgpull takes for an operating system and its architectures. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  android: ['arm'],
  darwin: [...COMMON, 'arm64'],
  dragonfly: ['amd64'],
  freebsd: COMMON,
  linux: [...COMMON, 'arm64', 'ppc64', 'ppc64le', 'mips64', 'mips64le', 's390x', 'riscv64'],
  netbsd: COMMON,
  openbsd: COMMON,
  plan9: ['386', 'amd64'],
  solaris: ['amd64'],
  windows: ['386', 'amd64'],
};

/** @throws RegistryError REQUEST_INVALID for a pair that imgpull does not know */
export function platformIn(values: Values): Platform {
  const os = values.get('os') ?? '';
  const architecture = values.get('arch') ?? '';
  if (Object.hasOwn(KNOWN, os) && KNOWN[os]?.includes(architecture) === true) {
    return { os, architecture };
  }
  throw new RegistryError(
    'REQUEST_INVALID',
    `operating system "${os}" and/or architecture "${architecture}" are not valid`,
  );
}
