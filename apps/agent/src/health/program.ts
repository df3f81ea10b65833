/** A program that a source of health asks, and that may be missing; and how often it is asked. */
import { GodwitError } from "@godwit/contract";
import { SourceAbsent, type Symptom } from "./health-source.ts";

/** Asks a program; the answer is its standard output. */
export type Ask = (args: readonly string[]) => Promise<string>;

/** @param missing why the source is absent where the program is not installed */
export const askedOr =
  (ask: Ask, missing: string): Ask =>
  async (args) => {
    try {
      return await ask(args);
    } catch (error) {
      if (GodwitError.is(error, "PROGRAM_MISSING")) throw new SourceAbsent(missing);
      throw error;
    }
  };

/** Symptoms that are read again only after some time; a failure is not kept. */
export class KeptSymptoms {
  readonly #forMs: number;
  #last: { atMs: number; symptoms: Symptom[] } | null = null;

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  async at(nowMs: number, read: () => Promise<Symptom[]>): Promise<Symptom[]> {
    if (this.#last !== null && nowMs - this.#last.atMs < this.#forMs) return this.#last.symptoms;
    const symptoms = await read();
    this.#last = { atMs: nowMs, symptoms };
    return symptoms;
  }
}
