/**
 * All states that were seen, exactly as they are (no state is ever taken for another because their hashes
 * agree), each with the state that it was first reached from and the event that led here. Memory: about 60
 * bytes a state, in large arrays outside of the collector's reach.
 */
import type { State } from "./layout.ts";

const chunkBits = 16;
const chunkStates = 1 << chunkBits;

export class Store {
  readonly #words: number;
  readonly #chunks: Uint32Array[] = [];
  readonly #parents: Uint32Array[] = [];
  readonly #events: Uint16Array[] = [];
  readonly #probe: Uint32Array;
  readonly #probeState: State;
  #table = new Uint32Array(1 << 16);
  size = 0;

  /** @param fields of a state, an even number */
  constructor(fields: number) {
    this.#words = fields / 2;
    this.#probe = new Uint32Array(this.#words);
    this.#probeState = new Uint16Array(this.#probe.buffer);
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#table.byteLength + this.#chunks.length * chunkStates * (this.#words * 4 + 6);
  }

  /** The state's index; a new one is entered. */
  add(state: State, parent: number, event: number): number {
    if (this.size * 2 > this.#table.length) this.#grow();
    const slot = this.#find(state);
    const found = this.#table[slot] ?? 0;
    if (found !== 0) return found - 1;
    const index = this.size++;
    const place = index & (chunkStates - 1);
    if (place === 0) {
      this.#chunks.push(new Uint32Array(chunkStates * this.#words));
      this.#parents.push(new Uint32Array(chunkStates));
      this.#events.push(new Uint16Array(chunkStates));
    }
    this.#chunks[index >> chunkBits]?.set(this.#probe, place * this.#words);
    (this.#parents[index >> chunkBits] as Uint32Array)[place] = parent;
    (this.#events[index >> chunkBits] as Uint16Array)[place] = event;
    this.#table[slot] = index + 1;
    return index;
  }

  /** -1 when it was never seen. */
  indexOf(state: State): number {
    return (this.#table[this.#find(state)] ?? 0) - 1;
  }

  read(index: number, into: State): void {
    const chunk = this.#chunks[index >> chunkBits];
    if (chunk === undefined) throw new RangeError(`no state ${String(index)}`);
    const first = (index & (chunkStates - 1)) * this.#words;
    for (let word = 0; word < this.#words; word++) {
      const bits = chunk[first + word] ?? 0;
      into[word * 2] = bits & 0xffff;
      into[word * 2 + 1] = bits >>> 16;
    }
  }

  /** The events that lead to a state from the first one. */
  pathTo(index: number): number[] {
    const path: number[] = [];
    for (let at = index; at !== 0; at = this.#parents[at >> chunkBits]?.[at & (chunkStates - 1)] ?? 0) {
      path.push(this.#events[at >> chunkBits]?.[at & (chunkStates - 1)] ?? 0);
    }
    return path.reverse();
  }

  #find(state: State): number {
    this.#probeState.set(state);
    const probe = this.#probe;
    const words = this.#words;
    const mask = this.#table.length - 1;
    let slot = hash(probe, 0, words) & mask;
    for (;;) {
      const found = this.#table[slot] ?? 0;
      if (found === 0) return slot;
      const chunk = this.#chunks[(found - 1) >> chunkBits] as Uint32Array;
      const first = ((found - 1) & (chunkStates - 1)) * words;
      let word = 0;
      while (word < words && chunk[first + word] === probe[word]) word++;
      if (word === words) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#table = new Uint32Array(this.#table.length * 2);
    const mask = this.#table.length - 1;
    for (let index = 0; index < this.size; index++) {
      const chunk = this.#chunks[index >> chunkBits] as Uint32Array;
      const first = (index & (chunkStates - 1)) * this.#words;
      let slot = hash(chunk, first, this.#words) & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = index + 1;
    }
  }
}

function hash(words: Uint32Array, first: number, count: number): number {
  let h = 0x9e3779b9;
  for (let word = first; word < first + count; word++) {
    h = Math.imul(h ^ (words[word] ?? 0), 0x85ebca6b);
    h ^= h >>> 15;
  }
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
