/** Takes the value of a header field apart, from the left to the right. */
export class FieldCursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * What the pattern matches right here, or its first group if it has one; then it is behind.
   * @param pattern with the flag `y`
   */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[1] ?? match[0];
  }

  /** Takes what only the two together match, or nothing. */
  takeBoth(first: RegExp, second: RegExp): string | undefined {
    const before = this.#at;
    const taken = this.take(first) === undefined ? undefined : this.take(second);
    if (taken === undefined) this.#at = before;
    return taken;
  }
}
