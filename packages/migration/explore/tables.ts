/**
 * Values as small numbers. Each distinct value, and each list of such numbers, is kept once and known by
 * its number from then on: a state of the whole world is then a few numbers, and what a reducer answered
 * once need not be asked again.
 */

/** Distinct values of one kind, numbered from `first` on. */
export class Values<T> {
  readonly #numbers = new Map<string, number>();
  readonly #values: T[] = [];
  readonly #first: number;
  readonly #most: number;

  /** @param bits that a number has room in */
  constructor(first = 0, bits = 16) {
    this.#first = first;
    this.#most = 2 ** bits - 1;
  }

  numberOf(value: T): number {
    const key = JSON.stringify(value);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const next = this.#first + this.#values.length;
    if (next > this.#most) throw new RangeError("there are more values than can be numbered");
    this.#numbers.set(key, next);
    this.#values.push(value);
    return next;
  }

  valueOf(number: number): T {
    const value = this.#values[number - this.#first];
    if (value === undefined) throw new RangeError(`no value has the number ${String(number)}`);
    return value;
  }
}

/** Lists of numbers below 256, numbered; the empty list is 0. A list is numbered by the one that it is longer than. */
export class Lists {
  readonly #lists: (readonly number[])[] = [[]];
  /** Of each list, the number of the one with another item at its end. */
  readonly #appended: number[][] = [[]];
  readonly #rests: (number | undefined)[] = [];
  readonly #most: number;

  /** @param bits that a list's number has room in */
  constructor(bits = 16) {
    this.#most = 2 ** bits - 1;
  }

  items(list: number): readonly number[] {
    const items = this.#lists[list];
    if (items === undefined) throw new RangeError(`no list has the number ${String(list)}`);
    return items;
  }

  /** -1 of the empty list. */
  first(list: number): number {
    return list === 0 ? -1 : (this.items(list)[0] ?? -1);
  }

  numberOf(items: readonly number[]): number {
    let list = 0;
    for (const item of items) list = this.append(list, item);
    return list;
  }

  append(list: number, item: number): number {
    const longer = this.#appended[list];
    if (longer === undefined) throw new RangeError(`no list has the number ${String(list)}`);
    for (let at = 0; at < longer.length; at += 2) if (longer[at] === item) return longer[at + 1] ?? 0;
    const next = this.#lists.length;
    if (next > this.#most) throw new RangeError("there are more lists than can be numbered");
    this.#lists.push([...this.items(list), item]);
    this.#appended.push([]);
    longer.push(item, next);
    return next;
  }

  /** The list without its first item. */
  rest(list: number): number {
    return (this.#rests[list] ??= this.numberOf(this.items(list).slice(1)));
  }
}
