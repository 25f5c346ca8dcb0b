import * as z from 'zod';
import { isDigest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { HOSTED } from '../core/hosted.ts';
import { parseImagePattern } from '../core/image-pattern.ts';
import { parsePlatform } from '../core/platform.ts';
import { parseNamePattern, type NamePattern } from '../core/name-pattern.ts';
import { isHost, isPath } from '../core/reference.ts';
import type { Pin } from '../hosted/mark.ts';
import { parseWanted } from '../image/prefetch/wanted.ts';
import { parseAddress, type Address } from './address.ts';
import { DURATION, parseDuration } from './duration.ts';
import { notAllowed, refusal } from './message.ts';
import { isHostOrRange } from './network.ts';
import { parseSize, SIZE } from './size.ts';
import { urlFault } from './url.ts';

/** What a timer of Node can wait at most; a longer one would go off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface Limits {
  readonly least?: number;
  readonly most?: number;
}

/** Text that `parse` makes a value of; `undefined` from it refuses the text. */
function parsed<T>(
  input: z.ZodType<string | number>,
  title: string,
  refuse: (value: unknown) => string,
  parse: (text: string) => T | undefined,
) {
  return input
    .transform((value, context): T => {
      const result = parse(String(value));
      if (result !== undefined) return result;
      context.addIssue({ code: 'custom', message: refuse(value), input: value });
      return z.NEVER;
    })
    .meta({ title });
}

const inside = (value: number | undefined, { least = 0, most = Infinity }: Limits) =>
  value !== undefined && value >= least && value <= most ? value : undefined;

function durationWithin(limits: Limits, allowed: string) {
  const refuse = notAllowed('a duration', allowed);
  const error = refusal(refuse);
  const written = z.string({ error }).min(1, { error }).regex(DURATION, { error });
  const input = z.union([written, z.literal(['0', 0], { error })], { error });
  return parsed(input, 'duration', refuse, (text) => inside(parseDuration(text), limits));
}

const DURATIONS = 'whole numbers with d, h, m, s or ms, such as 30s or 1h30m';

/** Milliseconds; 0 is allowed. */
export const duration = () => durationWithin({}, `${DURATIONS}, or 0`);

/** Milliseconds that a timer can wait; 0 is allowed. */
export const delay = () =>
  durationWithin({ most: LONGEST_TIMER }, `${DURATIONS}, or 0; 24d at most`);

/** Milliseconds that a timer can wait, at least one. */
export const deadline = () =>
  durationWithin({ least: 1, most: LONGEST_TIMER }, `${DURATIONS}; more than 0, 24d at most`);

/** Bytes. */
export function size(limits: Limits & { readonly example?: string } = {}) {
  const refuse = notAllowed(
    'a size',
    `numbers with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 10MiB, or plain bytes${limits.least === undefined ? '' : '; more than 0'}`,
  );
  const error = refusal(refuse);
  const written = z.string({ error }).regex(SIZE, { error });
  const bytes = z.int({ error }).nonnegative({ error });
  const { example } = limits;
  const input = z
    .union([written, bytes], { error })
    .meta(example === undefined ? {} : { examples: [example] });
  return parsed(input, 'size', refuse, (text) => inside(parseSize(text), limits));
}

export function address() {
  const refuse = notAllowed('an address', 'host:port, "[::1]:8080" (in quotes) or :8080');
  return parsed<Address>(z.string({ error: refusal(refuse) }), 'address', refuse, parseAddress);
}

/** The address of a registry, as it was written: `canonicalUrl` makes it comparable. */
export const registryUrl = () =>
  text('a URL such as https://registry.example.com')
    .superRefine((value, context) => {
      const fault = urlFault(value);
      if (fault !== undefined) context.addIssue(fault);
    })
    .meta({ title: 'URL' });

/** The address of a proxy; it may hold a user name and password, so it is never repeated. */
export const proxyUrl = () =>
  secret()
    .refine((value) => ['http:', 'https:'].includes(URL.parse(value)?.protocol ?? ''), {
      error: 'is not the URL of a proxy; allowed: http://host:port, with user:password@ if needed',
    })
    .meta({ title: 'URL' });

/** Text with something in it. */
export function text(allowed: string) {
  const refuse = notAllowed('text (numbers and true or false need quotes)', allowed);
  return z
    .string({ error: refusal(refuse) })
    .min(1, { error: `is empty; allowed: ${allowed}` })
    .meta({ title: 'text' });
}

/** Text that no message repeats. */
export const secret = () =>
  z
    .string({ error: refusal(() => 'is not text; put it in quotes') })
    .min(1, { error: 'is empty' })
    .meta({ title: 'text' });

export const path = () => text('the path of a file or folder').meta({ title: 'path' });

/** The pattern of images, as it is written. */
export function imagePattern() {
  const refuse = notAllowed(
    'a pattern of images',
    'registry/name, with * for any characters of a part and ** for any parts, and :tag or @digest',
  );
  return z
    .string({ error: refusal(refuse) })
    .refine((value) => parseImagePattern(value) !== undefined, { error: refusal(refuse) })
    .meta({ title: 'pattern' });
}

/** A reference as clients write it, or a pattern of tags, as it is written. */
export function wantedImage() {
  const refuse = notAllowed('an image', 'name:tag, name@digest, or * in the tag: nginx:1.27.*');
  return z
    .string({ error: refusal(refuse) })
    .refine((value) => isRead(parseWanted, value), { error: refusal(refuse) })
    .meta({ title: 'image' });
}

/** `os/architecture`, with a variant if need be, or `all`; as it is written. */
export function platform() {
  const refuse = notAllowed('a platform', 'os/architecture, such as linux/arm64, or all');
  return z
    .string({ error: refusal(refuse) })
    .refine((value) => value === 'all' || isRead(parsePlatform, value), { error: refusal(refuse) })
    .meta({ title: 'platform' });
}

function isRead(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}

/** The name of a registry in lower case, as image references have it. */
export function hostName() {
  const refuse = notAllowed('the name of a registry', 'host or host:port in lower case');
  return z
    .string({ error: refusal(refuse) })
    .refine((value) => isHost(value) && value === value.toLowerCase(), {
      error: refusal(refuse),
    })
    .meta({ title: 'registry' });
}

export function hostOrRange() {
  const refuse = notAllowed('a host or range', 'host names, IP addresses, ranges as 10.0.0.0/8');
  return z
    .string({ error: refusal(refuse) })
    .refine(isHostOrRange, { error: refusal(refuse) })
    .meta({ title: 'host or range' });
}

/** A pattern of repositories that live here. */
export function namePattern() {
  const refuse = notAllowed(
    'a pattern of names',
    'lower-case names, * within a part, ** for parts',
  );
  return parsed<NamePattern>(
    z.string({ error: refusal(refuse) }),
    'pattern',
    refuse,
    parseNamePattern,
  );
}

/** One manifest of a repository that lives here. */
export function pin() {
  const refuse = notAllowed('a manifest', 'name@sha256:… or name@sha512:…');
  return parsed<Pin>(z.string({ error: refusal(refuse) }), 'manifest', refuse, parsePin);
}

function parsePin(text: string): Pin | undefined {
  const [path = '', digest = '', ...rest] = text.split('@');
  if (rest.length > 0 || !isPath(path) || !isDigest(digest)) return undefined;
  return { repository: { host: HOSTED, path }, digest };
}
