import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import type { Bytes } from '../../layer/bytes.ts';
import type { TarEntry } from '../../layer/tar-entry.ts';
import { walkTar } from '../../layer/tar.ts';
import type { Content, Files } from './content.ts';

type Member = Pick<TarEntry, 'name' | 'type' | 'link' | 'offset' | 'size' | 'stored'>;

/** Links that lead to links; more are taken for a ring. */
const MOST_HOPS = 16;
/** An image's archive has a few files a layer; this bounds the memory that a strange one takes. */
const MOST_MEMBERS = 250_000;

/** Bytes read at a time: mostly headers, since what is large is passed over. */
const CHUNK = 16 * 1024;

/**
 * The files of a plain tar, found once and then read where they are. Owns the content. Links are
 * followed within the archive; nothing in it names anything outside.
 * @throws RegistryError MANIFEST_INVALID if it is no tar, or damaged, or ends too early
 */
export async function tarFiles(content: Content, name: string): Promise<Files> {
  let members: ReadonlyMap<string, Member>;
  try {
    members = await membersOf(content, name);
  } catch (cause) {
    await content[Symbol.asyncDispose]();
    if (!(cause instanceof RegistryError) || cause.code !== 'LAYER_INVALID') throw cause;
    throw notAnArchive(name, cause.message, cause);
  }
  return {
    name,
    open: async (asked) => {
      const member = follow(members, normal(asked));
      return member && part(content, member);
    },
    [Symbol.asyncDispose]: () => content[Symbol.asyncDispose](),
  };
}

async function membersOf(content: Content, place: string): Promise<ReadonlyMap<string, Member>> {
  const members = new Map<string, Member>();
  for await (const { name, type, link, offset, size, stored } of walkTar(skipping(content))) {
    members.set(normal(name), { name, type, link, offset, size, stored });
    if (members.size > MOST_MEMBERS) throw notAnArchive(place, 'it has too many files');
  }
  if (members.size === 0) throw notAnArchive(place, 'it is empty');
  return members;
}

/** The content in order, from which one may pass over what is not wanted. */
function skipping(content: Content): Bytes {
  let position = 0;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    while (position < content.size) {
      const wanted = Math.min(CHUNK, content.size - position);
      const chunk = await content.read(position, Buffer.allocUnsafe(wanted));
      position += chunk.length;
      yield chunk;
    }
  };
  return {
    [Symbol.asyncIterator]: chunks,
    skip(count) {
      const skipped = Math.min(count, content.size - position);
      position += skipped;
      return skipped;
    },
  };
}

function follow(members: ReadonlyMap<string, Member>, name: string): Member | undefined {
  let member = members.get(name);
  for (let hops = 0; member !== undefined && hops < MOST_HOPS; hops += 1) {
    // The bytes of a sparse file are not where they belong; nobody packs images so.
    if (member.type === 'file') return member.size === member.stored ? member : undefined;
    if (member.link === undefined) return undefined;
    const from = member.type === 'symlink' ? path.posix.dirname(normal(member.name)) : '';
    member = members.get(normal(path.posix.join('/', from, member.link)));
  }
  return undefined;
}

/** Names with and without `./` in front are the same, and none leads further up than the top. */
function normal(name: string): string {
  return path.posix
    .join('/', name)
    .replace(/(.)\/$/, '$1')
    .slice(1);
}

/** The archive stays open however often its parts are let go. */
function part(content: Content, { offset, size }: Member): Content {
  return {
    size,
    read: (position, into) => content.read(offset + position, into),
    async [Symbol.asyncDispose]() {},
  };
}

export function notAnArchive(name: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `${name} is not an image archive: ${why}`, {
    cause,
  });
}
