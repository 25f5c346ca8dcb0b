import { RegistryError } from '../../core/errors.ts';
import { formatReference, formatRepository } from '../../core/reference.ts';
import { parseReference } from '../location.ts';
import { parseWanted } from '../prefetch/wanted.ts';
import type { Judgement } from './finding.ts';

/** Of what holds the braces of a template. */
export const UNRENDERED = 'it is a template that has not been rendered; "helm template" does';

/** Characters that are repeated of a text, and beyond which it is no name. */
const SHOWN = 160;
const LONGEST = 2048;

/** What a text is that stands where an image does. */
export function judge(text: string): Judgement {
  const written = text.trim();
  if (written === '') return { kind: 'skipped', reason: 'it is empty' };
  if (written.length > LONGEST) return unusable(written, 'it is too long for a name');
  const open = placeholder(written);
  if (open !== undefined) return unusable(written, open);
  return orUnusable(written, () => {
    const { repository, at } = parseReference(written);
    return { kind: 'image', image: formatReference(repository, at), written };
  });
}

/** The same in a list, where `*` may stand in a tag. */
export function judgeLine(text: string): Judgement {
  if (!text.includes('*')) return judge(text);
  return orUnusable(text, () => {
    const { repository } = parseWanted(text);
    const tag = text.slice(text.lastIndexOf(':') + 1);
    return { kind: 'image', image: `${formatRepository(repository)}:${tag}`, written: text };
  });
}

/** What looks like an image and cannot be one, as written, cut where it is long. */
export function unusable(written: string, reason: string): Judgement {
  return { kind: 'unusable', written: written.slice(0, SHOWN), reason };
}

const FILE = /\.(?:png|svg|jpe?g|gif|webp|ico|iso|img|qcow2|raw|vmdk|vhd|ova|tar|tgz|gz|xz|zip)$/i;
const TAGGED = /[^/]:[\w][\w.-]{0,127}$|@sha(?:256|512):[0-9a-f]+$/;

/**
 * Whether the text would hardly be anything else than an image: for places that may hold one, and may
 * hold something else.
 */
export function isLikely(text: string): boolean {
  if (text.length > LONGEST) return false;
  if (/[\s"'<>{}|\\^`]|:\/\//.test(text) || text.startsWith('/') || FILE.test(text)) return false;
  return (namesHost(text) || TAGGED.test(text)) && judge(text).kind === 'image';
}

function namesHost(text: string): boolean {
  const first = text.slice(0, Math.max(0, text.indexOf('/')));
  return first === 'localhost' || /[.:]/.test(first);
}

/** What is left open in the text, for somebody else to fill in. */
function placeholder(text: string): string | undefined {
  if (text.includes('{{')) return UNRENDERED;
  if (/\$[({A-Za-z_]/.test(text)) return 'it holds a variable that nothing here fills in';
  return undefined;
}

function orUnusable(written: string, read: () => Judgement): Judgement {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return unusable(written, error.message);
  }
}
