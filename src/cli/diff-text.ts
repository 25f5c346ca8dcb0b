import type { Descriptor } from '../core/descriptor.ts';
import type { ConfigChange } from '../image/files/diff-config.ts';
import type { FileChange, ImageDiff, LayerChanges } from '../image/files/diff.ts';
import type { FileEntry } from '../image/files/file-entry.ts';
import { printableName } from '../layer/name.ts';
import { permissions } from './file-line.ts';
import { formatBytes } from './format-bytes.ts';

/**
 * The differences of two images for people, a line each: `+` only the second has it, `-` only the
 * first, `~` both have it and it differs. Nothing where they are the same.
 */
export function diffText({ config, layers, files }: ImageDiff): string {
  return [
    section('config', config.map(configLine)),
    section('layers', layerLines(layers)),
    section('files', files.map(fileLine)),
  ].join('');
}

function section(name: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${name}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function configLine(change: ConfigChange): string {
  const name = printableName(change.path.join('.'));
  if (!('before' in change)) return `+ ${name}: ${valueOf(change.after)}`;
  if (!('after' in change)) return `- ${name}: ${valueOf(change.before)}`;
  return `~ ${name}: ${valueOf(change.before)} -> ${valueOf(change.after)}`;
}

function valueOf(value: unknown): string {
  return printableName(JSON.stringify(value) ?? 'nothing');
}

function layerLines({ common, removed, added }: LayerChanges): string[] {
  if (removed.length === 0 && added.length === 0) return [];
  const line = ({ digest, size }: Descriptor): string => `${digest} ${formatBytes(size)}`;
  return [
    `= ${common.length} at the bottom ${common.length === 1 ? 'is' : 'are'} the same`,
    ...removed.map((layer) => `- ${line(layer)}`),
    ...added.map((layer) => `+ ${line(layer)}`),
  ];
}

function fileLine(change: FileChange): string {
  const name = `/${printableName(change.path)}`;
  switch (change.kind) {
    case 'added':
      return `+ ${name} (${brief(change.after)})`;
    case 'removed':
      return `- ${name} (${brief(change.before)})`;
    case 'changed':
      return `~ ${name} (${change.what.map((what) => difference(change.before, change.after, what)).join(', ')})`;
  }
}

function brief({ type, size, link }: FileEntry): string {
  if (link !== undefined) return `${type} to ${printableName(link)}`;
  return type === 'file' ? formatBytes(size) : type;
}

type What = Extract<FileChange, { readonly kind: 'changed' }>['what'][number];

function difference(before: FileEntry, after: FileEntry, what: What): string {
  const told = (value: (entry: FileEntry) => string): string =>
    `${what} ${value(before)} -> ${value(after)}`;
  switch (what) {
    case 'type':
      return told(({ type }) => type);
    case 'mode':
      return told(({ mode }) => permissions(mode));
    case 'owner':
      return told(({ uid, gid }) => `${uid}:${gid}`);
    case 'size':
      return told(({ size }) => `${size}`);
    case 'link':
      return told(({ link = 'nothing' }) => printableName(link));
    case 'device':
      return told(({ device }) => (device ? `${device.major},${device.minor}` : 'none'));
    case 'xattrs':
      return 'extended attributes';
    case 'content':
      return what;
  }
}
