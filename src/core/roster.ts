/** A member's place; given back to leave. */
export interface Place<T> {
  readonly item: T;
  index: number;
}

/**
 * Who is here, for members that come and go by the thousand each second. A `Set` would do, were it not
 * for the garbage collector: V8 makes a new table of it every so many additions, and the old one refers to
 * the new one. Once one of them has grown old, all that is ever in the set grows old with it.
 */
export class Roster<T> implements Iterable<T> {
  readonly #places: Place<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  enter(item: T): Place<T> {
    const place = { item, index: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** Of a place that is still held; once. */
  leave(place: Place<T>): void {
    const last = this.#places.pop();
    if (last === undefined || last === place) return;
    last.index = place.index;
    this.#places[place.index] = last;
  }

  /** In no order. Whoever comes or goes meanwhile may be seen or not. */
  *[Symbol.iterator](): Iterator<T> {
    const places = this.#places.slice();
    for (const { item } of places) yield item;
  }
}
