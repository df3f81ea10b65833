/** A set that remembers only what was put into it last: for what others name, as often as they like. */
export class RecentSet<T> {
  readonly #limit: number;
  readonly #values = new Set<T>();

  /** @param limit of its size */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#values.size;
  }

  has(value: T): boolean {
    return this.#values.has(value);
  }

  add(value: T): void {
    this.#values.delete(value);
    this.#values.add(value);
    for (const oldest of this.#values) {
      if (this.#values.size <= this.#limit) return;
      this.#values.delete(oldest);
    }
  }
}
