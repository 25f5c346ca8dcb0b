import type { Descriptor } from '../../../core/descriptor.ts';
import type { Chosen } from '../../../image/choose.ts';
import type { ImageConfig } from '../../../image/image-config.ts';
import { printableName } from '../../../layer/name.ts';

const LINE = `${'-'.repeat(50)}\n`;

/** Repositories or tags, from 1. */
export function numbered(items: readonly string[]): string {
  return items.map((item, index) => `  ${index + 1}. ${printableName(item)}\n`).join('');
}

export function catalogScreen(repositories: readonly string[]): string {
  return `  Repositories:  ${repositories.length}\n\n${numbered(repositories)}\n\n`;
}

export function tagsScreen(repository: string, tags: readonly string[]): string {
  return `\n\nTags for: ${repository}\n  Total:  ${tags.length}\n\n${numbered(tags)}\n`;
}

/** What the config says, and the steps of the build, the newest first. */
export function manifestScreen(name: string, { image }: Chosen, config: ImageConfig): string {
  const { platform, ports, env, entrypoint, workdir, created, history } = config;
  const facts: readonly (readonly [label: string, value: string | undefined])[] = [
    ['architecture:', platform?.architecture],
    ['os:', platform?.os],
    ...ports.map((port) => ['ExposedPorts:', port] as const),
    ...env.map((variable) => ['ENV:', variable] as const),
    ['ENTRYPOINT:', entrypoint.length === 0 ? undefined : entrypoint.join(' ')],
    ['WORKINGDIR:', workdir],
    ['created:', created],
    ['id:', image.config.digest],
  ];
  const lines = facts.flatMap(([label, value]) =>
    value === undefined ? [] : [`${label.padEnd(13)} ${printableName(value)}\n`],
  );
  const steps = history.toReversed().map(({ createdBy, comment }, index) => {
    const step = createdBy ?? comment ?? '(no command)';
    return `  [${index + 1}] ${printableName(step.replaceAll(/\s+/g, ' ').trim())}\n`;
  });
  const built = `\nBuild History (${steps.length} layers):\n${LINE}${steps.join('')}`;
  const head = `\nManifest for: ${name}\n${LINE}${lines.join('')}`;
  return `${head}${steps.length === 0 ? '' : built}\n`;
}

/** @param layers the newest first */
export function layersScreen(layers: readonly Descriptor[]): string {
  const rows = layers.map(({ digest, size }, index) => {
    const number = `${index + 1}`.padStart(2, '0');
    return `  ${number}. ${digest} (${size === 0 ? 'size unknown' : formatSize(size)})\n`;
  });
  return `\nfsLayers (${layers.length} total):\n${LINE}${rows.join('')}\n`;
}

/** Bytes as registory-raider shows them. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
