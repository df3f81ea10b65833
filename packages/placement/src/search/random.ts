/** Numbers that look random and follow from a seed: the same search on the same pool gives the same plan. (xoshiro128**) */
export class Random {
  readonly #words = new Uint32Array(4);

  constructor(seed: number) {
    let mixed = seed >>> 0;
    for (let word = 0; word < 4; word += 1) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#words[word] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  /** From 0 up to, and never, 1. */
  next(): number {
    const words = this.#words;
    const [a, b, c, d] = words as unknown as [number, number, number, number];
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = b << 9;
    words[2] = c ^ a;
    words[3] = d ^ b;
    words[1] = b ^ words[2];
    words[0] = a ^ words[3];
    words[2] = words[2] ^ t;
    const e = words[3];
    words[3] = (e << 11) | (e >>> 21);
    return result / 4294967296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
}
