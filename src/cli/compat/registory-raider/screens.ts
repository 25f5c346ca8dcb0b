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

/** What is shown of an image, however its manifest says it. */
export interface Pictured {
  readonly facts: readonly (readonly [label: string, value: string | undefined])[];
  /** Lines in place of facts that nobody could read. */
  readonly notes: readonly string[];
  /** Of the build, the newest first. */
  readonly steps: readonly string[];
  /** The base first. A size of 0 is unknown. */
  readonly layers: readonly Descriptor[];
}

/** How it is run, of a config. */
export function runFacts(config: ImageConfig): Pictured['facts'] {
  const { ports, env, entrypoint, workdir, created } = config;
  return [
    ...ports.map((port) => ['ExposedPorts:', port] as const),
    ...env.map((variable) => ['ENV:', variable] as const),
    ['ENTRYPOINT:', entrypoint.length === 0 ? undefined : entrypoint.join(' ')],
    ['WORKINGDIR:', workdir],
    ['created:', created],
  ];
}

export function pictured({ image }: Chosen, config: ImageConfig): Pictured {
  return {
    facts: [
      ['architecture:', config.platform?.architecture],
      ['os:', config.platform?.os],
      ...runFacts(config),
      ['id:', image.config.digest],
    ],
    notes: [],
    steps: config.history
      .toReversed()
      .map(({ createdBy, comment }) => createdBy ?? comment ?? '(no command)'),
    layers: image.layers,
  };
}

/** What is known of an image, and the steps of its build. */
export function manifestScreen(name: string, { facts, notes, steps }: Pictured): string {
  const lines = facts.flatMap(([label, value]) =>
    value === undefined ? [] : [`${label.padEnd(13)} ${printableName(value)}\n`],
  );
  const unread = notes.map((note) => `  ${note}\n`).join('');
  const listed = steps.map(
    (step, index) => `  [${index + 1}] ${printableName(step.replaceAll(/\s+/g, ' ').trim())}\n`,
  );
  const built = `\nBuild History (${steps.length} layers):\n${LINE}${listed.join('')}`;
  const head = `\nManifest for: ${name}\n${LINE}${lines.join('')}${unread}`;
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
