/** Numbers without a fraction, as JSON writes them. */
const WHOLE = /^-?\d+$/;

const TOKEN = /\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:]))/gy;

const WORDS: Readonly<Record<string, string>> = { true: 'True', false: 'False', null: 'None' };

/** A quote, a backslash, or what Python does not print as it is. */
const SPECIAL = /['\\]|[^\x20-\x7e\u00a1-\u{10ffff}]|\p{C}|\p{Z}/gu;

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/**
 * What Python prints of the object that a JSON text stands for: keys in their order, numbers of any
 * length. @throws SyntaxError for what is no JSON
 */
export function pythonOf(json: string): string {
  JSON.parse(json);
  let printed = '';
  for (const [, text, number, word, mark] of json.matchAll(TOKEN)) {
    if (text !== undefined) printed += pythonText(String(JSON.parse(text)));
    else if (number !== undefined) printed += pythonNumber(number);
    else if (word !== undefined) printed += WORDS[word] ?? word;
    else printed += mark === ',' || mark === ':' ? `${mark} ` : (mark ?? '');
  }
  return printed;
}

/** `repr` of a text. */
export function pythonText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replaceAll(SPECIAL, (character) => {
    if (character === "'") return quote === "'" ? "\\'" : "'";
    if (character === ' ') return ' ';
    return ESCAPES[character] ?? escaped(character.codePointAt(0) ?? 0);
  });
  return `${quote}${body}${quote}`;
}

/** `repr` of a list of texts. */
export function pythonList(texts: readonly string[]): string {
  return `[${texts.map(pythonText).join(', ')}]`;
}

function escaped(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

function pythonNumber(text: string): string {
  if (WHOLE.test(text)) return text === '-0' ? '0' : text;
  const value = Number(text);
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [digits = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const sign = exponent < 0 ? '-' : '+';
    return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = exponent < 0 ? value.toFixed(fraction(digits) - exponent) : String(value);
  if (plain.includes('.')) return plain;
  return `${Object.is(value, -0) ? '-0' : plain}.0`;
}

/** Digits after the point. */
function fraction(digits: string): number {
  const point = digits.indexOf('.');
  return point === -1 ? 0 : digits.length - point - 1;
}
