import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import type { Content, Files } from './content.ts';
import { tarEntries, type TarMember } from './tar-read.ts';

/** Links that lead to links; more are taken for a ring. */
const MOST_HOPS = 16;
/** An image's archive has a few files a layer; this bounds the memory that a strange one takes. */
const MOST_MEMBERS = 250_000;

/**
 * The files of a plain tar, found once and then read where they are. Owns the content. Links are
 * followed within the archive; nothing in it names anything outside.
 * @throws RegistryError MANIFEST_INVALID if it is no tar or ends too early
 */
export async function tarFiles(content: Content, name: string): Promise<Files> {
  const members = new Map<string, TarMember>();
  try {
    for await (const member of tarEntries(content, name)) {
      members.set(normal(member.name), member);
      if (members.size > MOST_MEMBERS) throw notAnArchive(name, 'it has too many files');
    }
    if (members.size === 0) throw notAnArchive(name, 'it is empty');
  } catch (error) {
    await content[Symbol.asyncDispose]();
    throw error;
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

function follow(members: ReadonlyMap<string, TarMember>, name: string): TarMember | undefined {
  let member = members.get(name);
  for (let hops = 0; member !== undefined && hops < MOST_HOPS; hops += 1) {
    if (member.kind === 'file') return member;
    if (member.kind === 'other') return undefined;
    const from = member.kind === 'symlink' ? path.posix.dirname(normal(member.name)) : '/';
    member = members.get(normal(path.posix.join('/', from, member.target)));
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
function part(content: Content, { offset, size }: TarMember): Content {
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
