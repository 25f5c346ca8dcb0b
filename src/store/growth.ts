import { Pulse } from '../core/pulse.ts';

/** How far content has come that is being taken in, as those who follow it see it. */
export class Growth {
  readonly #changed = new Pulse();
  #length: number;
  #size: number | undefined;
  #failure: Error | undefined;
  #verified = false;

  /** Bytes that are there to begin with. */
  constructor(length: number) {
    this.#length = length;
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#length;
  }

  /** Bytes to come in all, once that was stated. */
  get size(): number | undefined {
    return this.#size;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get verified(): boolean {
    return this.#verified;
  }

  /** There will be `size` bytes, of which `length` are there. */
  expect(size: number, length: number): void {
    this.#size = size;
    this.#length = length;
    this.#changed.give();
  }

  grow(bytes: number): void {
    this.#length += bytes;
    this.#changed.give();
  }

  /** All of it is right. */
  verify(): void {
    this.#verified = true;
    this.#changed.give();
  }

  /** Fails whoever waits, from now on. Tells whether that is so: what was verified does not fail any more. */
  fail(reason: Error): boolean {
    if (this.#verified) return false;
    this.#failure ??= reason;
    this.#changed.give();
    return true;
  }

  /**
   * Waits for the byte at `position`; gives where those end that may be read by now. The last one of all waits
   * for the digest. @throws what it failed with
   */
  async past(position: number): Promise<number> {
    while (this.#limit() <= position) await this.#change();
    return this.#limit();
  }

  /** Waits until all of it may be believed. @throws what it failed with */
  async believed(): Promise<void> {
    while (!this.#verified) await this.#change();
  }

  #limit(): number {
    return this.#verified ? this.#length : Math.min(this.#length, (this.#size ?? 0) - 1);
  }

  async #change(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#changed.wait();
  }
}
