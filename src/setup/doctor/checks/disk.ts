import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../../../core/errors.ts';
import type { Code, Finding, Report } from '../check.ts';

export interface Storage {
  readonly path: string;
  /** Bytes. */
  readonly minFree: number;
  readonly maxSize: number;
}

/** Whether the store can be written, and the disk has the room that the configuration counts on. */
export async function disk(storage: Storage): Promise<Report> {
  const { path: folder, minFree, maxSize } = storage;
  const looked = `the disk of ${folder}`;
  const fault = (code: Code, saw: string, means: string, mend: string): Finding => {
    return { code, severity: 'fault', saw, means, mend };
  };
  const place = await nearest(path.resolve(folder));
  const unusable = await writable(place);
  if (unusable !== undefined) {
    const finding = fault(
      'disk-read-only',
      `${place} cannot be written (${unusable})`,
      'nothing new is kept: every pull costs its upstream, and the server may not start',
      `namei -l ${place}; findmnt -T ${place}   # owner, mode and mount; storage.path names another`,
    );
    return { looked, findings: [finding] };
  }
  const { bavail, blocks, bsize } = await statfs(place);
  const [free, size] = [bavail * bsize, blocks * bsize];
  const findings: Finding[] = [];
  if (free < minFree) {
    findings.push(
      fault(
        'disk-full',
        `${gib(free)} are free, less than storage.minFree (${gib(minFree)})`,
        'what is cached makes way until so much is free, and nothing new is kept if that is not enough',
        `layover usage; df -h ${place}   # then make room, or change storage.minFree`,
      ),
    );
  }
  if (size > 0 && maxSize + minFree > size) {
    findings.push({
      code: 'disk-small',
      severity: 'warning',
      saw: `storage.maxSize (${gib(maxSize)}) and storage.minFree (${gib(minFree)}) are more than the disk (${gib(size)})`,
      means: 'the cache grows until only minFree is left, and never has the size that was meant',
      mend: `set storage.maxSize to ${gib(Math.max(0, size - minFree))} or less`,
    });
  }
  return { looked: `${looked}: ${gib(free)} of ${gib(size)} free`, findings };
}

/** The folder, or the one above it that is there. */
async function nearest(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    const outer = path.dirname(folder);
    if (systemCode(error) === 'ENOENT' && outer !== folder) return nearest(outer);
    return folder;
  }
}

/** Why nothing can be written there; `undefined`: something can. */
async function writable(place: string): Promise<string | undefined> {
  try {
    if (!(await stat(place)).isDirectory()) return 'not a folder';
    await access(place, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code;
  }
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)}GiB`;
}
