import { RegistryError } from '../../../core/errors.ts';
import { parsePlatform, type Platform } from '../../../core/platform.ts';
import { pythonList } from '../python.ts';

/** What crpy takes for a platform, to the letter. */
const PLATFORMS: readonly string[] = [
  'linux/amd64',
  'linux/arm64/v8',
  'windows/amd64',
  'linux/arm/v5',
  'linux/arm/v6',
  'linux/arm/v7',
  'linux/386',
  'linux/mips64le',
  'linux/ppc64le',
  'linux/riscv64',
  'linux/s390x',
];

/** @throws RegistryError NAME_INVALID */
export function platformNamed(text: string): Platform {
  if (PLATFORMS.includes(text)) return parsePlatform(text);
  throw new RegistryError(
    'NAME_INVALID',
    `Platform '${text}' not recognized. Choose one from ${pythonList(PLATFORMS)}`,
  );
}
