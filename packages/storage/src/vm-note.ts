/**
 * A file beside a VM's `vm.json` that says what is being done with the VM's files, written before it is done: whoever comes after a crash
 * completes it, or removes what is left of it. What the VM is, `vm.json` alone says.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import type { z } from "zod";
import type { Datastore } from "./datastore.ts";

export class VmNote<S extends z.ZodType> {
  readonly #file: string;
  readonly #schema: S;
  readonly #isOf: (note: z.output<S>, vm: string) => boolean;

  /** @param isOf whether a note concerns files of this VM only: whoever can write to the datastore can write it */
  constructor(file: string, schema: S, isOf: (note: z.output<S>, vm: string) => boolean) {
    this.#file = file;
    this.#schema = schema;
    this.#isOf = isOf;
  }

  /** Null: there is none. One that cannot be read counts as none: what it names stays where it is. */
  async read(home: Datastore, vm: string): Promise<z.output<S> | null> {
    const text = await readFileOrNull(this.#path(home, vm));
    if (text === null) return null;
    try {
      const parsed = this.#schema.safeParse(parseJson(text));
      return parsed.success && this.#isOf(parsed.data, vm) ? parsed.data : null;
    } catch {
      return null; // it is not even JSON
    }
  }

  async write(home: Datastore, vm: string, note: z.output<S>): Promise<void> {
    await writeFileAtomic(this.#path(home, vm), `${JSON.stringify(note)}\n`);
  }

  async remove(home: Datastore, vm: string): Promise<void> {
    await rm(this.#path(home, vm), { force: true });
  }

  #path(home: Datastore, vm: string): string {
    return join(home.resolve(vm), this.#file);
  }
}
