import type { TarType } from '../../../layer/tar-entry.ts';
import { printableName } from '../../../layer/name.ts';
import { TYPE_LETTERS } from '../../file-line.ts';

/** An entry of a layer as its archive has it, whiteouts being the files they are. */
export interface Listed {
  /** As in the archive, without a slash at the end. */
  readonly name: string;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly link: string | undefined;
}

export type Style = 'long' | 'simple';

const UNITS = ['B', 'KB', 'MB', 'GB'] as const;

/** Bytes with one digit after the point, units of 1024. */
export function sizeText(bytes: number): string {
  let amount = bytes;
  for (const unit of UNITS) {
    if (amount < 1024) return `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TB`;
}

/** Type and permissions, as `ls -l` has them. */
export function modeText({ type, mode }: Pick<Listed, 'type' | 'mode'>): string {
  const bits = [0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 0o4, 0o2, 0o1];
  return (
    TYPE_LETTERS[type] + bits.map((bit, at) => (mode & bit ? ('rwx'[at % 3] ?? '') : '-')).join('')
  );
}

/** Minutes, in UTC: the same everywhere. */
export function timeText(mtime: number): string {
  const date = new Date(mtime * 1000);
  if (!(mtime > 0) || Number.isNaN(date.getTime())) return '----.--.-- --:--';
  return date.toISOString().slice(0, 16).replace('T', ' ');
}

/** The name with what says what it is. */
export function shownName({ name, type, link }: Listed): string {
  const shown = printableName(name);
  if (type === 'directory') return `${shown}/`;
  return link === undefined ? shown : `${shown} -> ${printableName(link)}`;
}

/** One line of a listing, without its end. */
export function entryLine(entry: Listed, style: Style): string {
  if (style === 'simple') return `  ${simple(entry)}`;
  const owner = `${String(entry.uid).padStart(4)} ${String(entry.gid).padStart(4)}`;
  const size = sizeText(entry.size).padStart(8);
  return `  ${modeText(entry)}  ${owner}  ${size}  ${timeText(entry.mtime)}  ${shownName(entry)}`;
}

function simple(entry: Listed): string {
  if (entry.type === 'directory') return `[DIR]  ${shownName(entry)}`;
  if (entry.link !== undefined) return `[LINK] ${shownName(entry)}`;
  return `[FILE] ${shownName(entry)} (${sizeText(entry.size)})`;
}
