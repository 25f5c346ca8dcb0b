import type { FileEntry, FileType } from '../image/files/file-entry.ts';
import { printableName } from '../layer/name.ts';

/** How much a line tells. */
export interface LineOptions {
  readonly form: 'name' | 'long';
  /** `told`: which layer has the entry, and what became of it there. */
  readonly layers: 'told' | 'left out';
}

/** The first letter of a line, as `ls -l` has it and beyond. */
export const TYPE_LETTERS: Readonly<Record<FileType, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  hardlink: 'h',
  character: 'c',
  block: 'b',
  fifo: 'p',
  whiteout: 'w',
  opaque: 'w',
};

/** One entry as a line, safe for a terminal whatever an archive calls its files. */
export function fileLine(entry: FileEntry, { form, layers }: LineOptions): string {
  const name =
    form === 'long'
      ? `${attributes(entry)}  ${nameOf(entry)}${target(entry)}${xattrs(entry)}`
      : nameOf(entry);
  const told = layers === 'told' ? `layer ${entry.layer.index}${story(entry)}` : deletion(entry);
  return `${name}${told === undefined ? '' : `  (${told})`}\n`;
}

/** As `ls -l` has it, in UTC; links to a file are not counted, since only a whole image tells them. */
function attributes(entry: FileEntry): string {
  const { type, mode, uid, gid, user, group, size, device, mtime } = entry;
  const owner = printableName(user) || `${uid}`;
  const owners = printableName(group) || `${gid}`;
  const extent = device === undefined ? `${size}` : `${device.major}, ${device.minor}`;
  return [
    `${TYPE_LETTERS[type]}${permissions(mode)}`,
    owner.padEnd(8),
    owners.padEnd(8),
    extent.padStart(10),
    time(mtime),
  ].join(' ');
}

/** Nine letters, as `ls -l` has them. */
export function permissions(mode: number): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = (mode >> shift) & 7;
    const runs = (bits & 1) !== 0;
    const last = (mode & special) === 0 ? (runs ? 'x' : '-') : runs ? letter : letter.toUpperCase();
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${last}`;
  };
  return triple(6, 0o4000, 's') + triple(3, 0o2000, 's') + triple(0, 0o1000, 't');
}

/** To the minute. What lies outside of the calendar is told as seconds. */
function time(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds}`;
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/:\d\d\.\d+Z$/, '');
}

function nameOf({ path, type }: FileEntry): string {
  return `/${printableName(path)}${isFolder(type) && path !== '' ? '/' : ''}`;
}

function isFolder(type: FileType): boolean {
  return type === 'directory' || type === 'opaque';
}

function target({ type, link }: FileEntry): string {
  if (link === undefined) return '';
  return type === 'hardlink' ? ` link to /${printableName(link)}` : ` -> ${printableName(link)}`;
}

/** Names alone: values are bytes, which JSON has. */
function xattrs({ xattrs = {} }: FileEntry): string {
  const names = Object.keys(xattrs).map(printableName);
  return names.length === 0 ? '' : `  [${names.join(' ')}]`;
}

/** What follows the layer's name. */
function story(entry: FileEntry): string {
  const { fate, repeated, implicit } = entry;
  const deletes = deletion(entry);
  if (deletes !== undefined) return ` ${deletes}`;
  if (implicit === true) return ', implied';
  const became = fate === undefined ? '' : `, ${fate.how} by layer ${fate.layer}`;
  return `${repeated === true ? ', again' : ''}${became}`;
}

/** What is no file, and must never look like one. */
function deletion({ type }: FileEntry): string | undefined {
  if (type === 'whiteout') return 'deletes it';
  return type === 'opaque' ? 'empties it' : undefined;
}
