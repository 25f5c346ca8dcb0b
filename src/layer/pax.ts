import { damaged } from './damage.ts';

/** Records by keyword, in their order: sparse files of an old kind repeat keywords. */
export type PaxRecords = readonly (readonly [keyword: string, value: Uint8Array])[];

/**
 * The records of an extended header (POSIX pax, "Extended Header"): `length keyword=value\n` each.
 * @throws RegistryError LAYER_INVALID
 */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: (readonly [string, Uint8Array])[] = [];
  for (let at = 0; at < buffer.length;) {
    // Some writers fill up with zeros.
    if (buffer[at] === 0) break;
    const space = buffer.indexOf(0x20, at);
    const length = lengthAt(buffer, at, space);
    const equals = buffer.indexOf(0x3d, space);
    const end = at + length;
    if (equals < 0 || equals >= end || end > buffer.length || buffer[end - 1] !== 0x0a) {
      throw damaged('an extended header (PAX) of the archive has a broken record');
    }
    const value = Uint8Array.from(buffer.subarray(equals + 1, end - 1));
    records.push([buffer.toString('utf8', space + 1, equals), value]);
    at = end;
  }
  return records;
}

function lengthAt(buffer: Buffer, at: number, space: number): number {
  const digits = space < 0 || space - at > 10 ? '' : buffer.toString('latin1', at, space);
  const length = /^[0-9]+$/.test(digits) ? Number.parseInt(digits, 10) : 0;
  if (length > space - at + 2) return length;
  throw damaged('an extended header (PAX) of the archive has a record of no length');
}

/** What extended headers say of an entry: global records, overridden by its own; an empty value takes one back. */
export class PaxFields {
  readonly #records: ReadonlyMap<string, Uint8Array>;

  constructor(...layers: readonly PaxRecords[]) {
    const records = new Map<string, Uint8Array>();
    for (const [keyword, value] of layers.flat()) {
      if (value.length === 0) records.delete(keyword);
      else records.set(keyword, value);
    }
    this.#records = records;
  }

  bytes(keyword: string): Uint8Array | undefined {
    return this.#records.get(keyword);
  }

  text(keyword: string): string | undefined {
    const value = this.#records.get(keyword);
    return value === undefined ? undefined : Buffer.from(value).toString('utf8');
  }

  /** @throws RegistryError LAYER_INVALID for what is not a whole number from 0 on */
  count(keyword: string): number | undefined {
    const value = this.text(keyword);
    return value === undefined ? undefined : parseCount(value, keyword);
  }

  /** Seconds, with a fraction and negative if need be. */
  time(keyword: string): number | undefined {
    const value = this.text(keyword);
    if (value === undefined) return undefined;
    const seconds = /^-?[0-9]{1,15}(?:\.[0-9]*)?$/.test(value) ? Number.parseFloat(value) : NaN;
    if (Number.isFinite(seconds)) return seconds;
    throw damaged(`an extended header (PAX) of the archive has an impossible ${keyword}`);
  }

  /** Those whose keyword starts so, without that start. */
  *startingWith(start: string): Generator<readonly [string, Uint8Array], void, undefined> {
    for (const [keyword, value] of this.#records) {
      if (keyword.startsWith(start)) yield [keyword.slice(start.length), value];
    }
  }
}

/** @throws RegistryError LAYER_INVALID */
export function parseCount(digits: string, what: string): number {
  const count = /^[0-9]{1,16}$/.test(digits) ? Number.parseInt(digits, 10) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw damaged(`the archive has an impossible ${what}: ${JSON.stringify(digits.slice(0, 40))}`);
}
