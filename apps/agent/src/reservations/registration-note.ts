/** The key that this host registered with at a LUN, kept until the next boot: no VM runs here that an earlier boot registered for. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { z } from "zod";

const noteSchema = z.object({
  version: z.literal(1),
  key: z.string().regex(/^67[0-9a-f]{14}$/),
  /** Of the paths that are registered under it. */
  paths: z.array(z.string().max(4096)).max(1000),
});
export type RegistrationNote = Pick<z.infer<typeof noteSchema>, "key" | "paths">;

export class RegistrationNotes {
  readonly #folder: string;

  /** @param folder emptied by a boot */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null: none. @throws Error for one that cannot be read, which is no word of having none */
  async read(wwn: string): Promise<RegistrationNote | null> {
    const text = await readFileOrNull(this.#path(wwn));
    if (text === null) return null;
    const note = noteSchema.safeParse(parseJson(text));
    if (note.success) return note.data;
    throw new Error(`what was noted of this host's key in ${this.#path(wwn)} cannot be read`);
  }

  async write(wwn: string, { key, paths }: RegistrationNote): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#path(wwn), JSON.stringify({ version: 1, key, paths }), 0o600);
  }

  async remove(wwn: string): Promise<void> {
    await rm(this.#path(wwn), { force: true });
  }

  #path(wwn: string): string {
    return join(this.#folder, `${wwn}.json`);
  }
}
