import type { Hasher } from '../core/digest.ts';
import { Pulse } from '../core/pulse.ts';
import { LeftBehind } from './store.ts';

/** Where a reader of growing content is. */
export interface Follower {
  position: number;
  /** Set once the bytes at its position have left the window. */
  left?: LeftBehind;
}

interface Block {
  readonly start: number;
  readonly bytes: Buffer;
  /** Of everything before this block. */
  readonly hasher: Hasher;
}

/** Bytes. */
const WIDTH = 8 * 1024 * 1024;

/**
 * The newest bytes of content that cannot be stored, kept in bounded memory for those who read it
 * meanwhile. It moves on with the fastest of them: nobody slower can hold it up, and it never runs
 * ahead of everybody. Who is overtaken gets `LeftBehind`.
 */
export class Window {
  readonly #followers: ReadonlySet<Follower>;
  readonly #width: number;
  readonly #blocks: Block[] = [];
  readonly #moved = new Pulse();
  readonly #origin: { readonly start: number; readonly hasher: Hasher };
  readonly #hasher: Hasher;
  #start: number;
  #end: number;
  #closed = false;

  /** Begins at `start`; `hasher` has seen everything before it, and sees what comes. */
  constructor(start: number, hasher: Hasher, followers: ReadonlySet<Follower>, width = WIDTH) {
    this.#start = start;
    this.#end = start;
    this.#origin = { start, hasher: hasher.copy() };
    this.#hasher = hasher;
    this.#followers = followers;
    this.#width = width;
  }

  /** Copies the bytes in; waits while the window is full of bytes that nobody has read yet. */
  async push(bytes: Uint8Array): Promise<void> {
    const block = { start: this.#end, bytes: Buffer.from(bytes), hasher: this.#hasher.copy() };
    while (this.#end - this.#start + bytes.length > this.#width && this.#blocks.length > 0) {
      if (this.#closed || this.#oldestIsRead()) this.#drop();
      else await this.#moved.wait();
    }
    this.#hasher.update(block.bytes);
    this.#blocks.push(block);
    this.#end += bytes.length;
  }

  /** A follower has moved or left. */
  moved(): void {
    this.#moved.give();
  }

  /** Nobody reads any more: a writer that waits goes on. */
  close(): void {
    this.#closed = true;
    this.#moved.give();
  }

  /**
   * Bytes at the follower's position, of which the content must have some by now.
   * @throws LeftBehind
   */
  take(follower: Follower, most: number): Uint8Array {
    if (follower.left !== undefined) throw follower.left;
    const block = this.#blocks.findLast(({ start }) => start <= follower.position);
    // Each goes on hashing from here by itself.
    if (block === undefined) throw new LeftBehind(this.#origin.start, this.#origin.hasher.copy());
    const from = follower.position - block.start;
    return block.bytes.subarray(from, from + most);
  }

  #oldestIsRead(): boolean {
    const [oldest] = this.#blocks;
    if (oldest === undefined || this.#followers.size === 0) return true;
    const end = oldest.start + oldest.bytes.length;
    return this.#followers.values().some((follower) => follower.position >= end);
  }

  #drop(): void {
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#start = block.start + block.bytes.length;
    for (const follower of this.#followers) {
      if (follower.position < this.#start) {
        follower.left ??= new LeftBehind(block.start, block.hasher.copy());
      }
    }
  }
}
