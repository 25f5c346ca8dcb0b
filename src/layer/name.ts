import { isUtf8 } from 'node:buffer';

/** Bytes that are not UTF-8 are kept as lone surrogates from here on, U+DC80 for 0x80, as Python does. */
const ESCAPE = 0xdc00;

/** A name as text from which `encodeName` makes the same bytes again, UTF-8 or not. */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length;) {
    const sequence = buffer.subarray(at, at + sequenceLength(buffer[at] ?? 0));
    const whole = isUtf8(sequence);
    text += whole ? sequence.toString('utf8') : String.fromCharCode(ESCAPE + (buffer[at] ?? 0));
    at += whole ? sequence.length : 1;
  }
  return text;
}

export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    parts.push(isEscape(code) ? Buffer.from([code - ESCAPE]) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/**
 * The name for a person to look at: what could steer a terminal or mislead the eye is written as
 * `\xNN` or `\u{N}`. To be read back `encodeName` is meant; see `printedNames`, too.
 */
export function printableName(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const byte = isEscape(code) ? code - ESCAPE : code;
    return byte < 0x100 ? `\\x${byte.toString(16).padStart(2, '0')}` : `\\u{${byte.toString(16)}}`;
  });
}

/** Names, other than the text itself, that `printableName` may have written as the text; the likeliest first. */
export function printedNames(text: string): readonly string[] {
  const bytes = text.replaceAll(PRINTED, (written, byte = '', point = '') =>
    byte === '' ? pointOf(point, written) : String.fromCharCode(escapeOf(parseInt(byte, 16))),
  );
  if (bytes === text) return [];
  const characters = text.replaceAll(PRINTED, (written, byte, point) =>
    pointOf(byte ?? point, written),
  );
  // Escaped bytes may be those of characters.
  const names = [bytes, characters].map((name) => decodeName(encodeName(name)));
  return [...new Set(/\\x[89][0-9a-f]/.test(text) ? names : names.slice(0, 1))];
}

const PRINTED = /\\x([0-9a-f]{2})|\\u\{([0-9a-f]{1,6})\}/g;

function escapeOf(byte: number): number {
  return byte < 0x80 ? byte : ESCAPE + byte;
}

function pointOf(hex: string, otherwise: string): string {
  const point = parseInt(hex, 16);
  const lone = point >= 0xd800 && point <= 0xdfff;
  return lone || point > 0x10ffff ? otherwise : String.fromCodePoint(point);
}

function isEscape(code: number): boolean {
  return code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}
