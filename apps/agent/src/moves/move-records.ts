/** How the last moves of this host ended, each in a file: that can still be asked for after the agent was restarted. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { moveRecordSchema, parseJson, type MoveId, type MoveRecord } from "@godwit/contract";
import type { DestinationOutcome } from "@godwit/migration";
import { writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";

/** Ended moves that can still be asked for. */
const kept = 200;
const retryMs = 1000;

export class MoveRecords {
  readonly #folder: string;
  readonly #log: Logger;
  readonly #records = new Map<MoveId, MoveRecord>();

  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Those that earlier agents wrote. */
  async read(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    for (const name of names.filter((one) => one.endsWith(".record.json"))) {
      try {
        const { record } = parseJson(await readFile(join(this.#folder, name), "utf8")) as {
          record: unknown;
        };
        const parsed = moveRecordSchema.safeParse(record);
        if (parsed.success) this.#records.set(parsed.data.id, parsed.data);
        else this.#log.warn({ err: parsed.error, name }, "a move's record is not one");
      } catch (error) {
        this.#log.warn({ err: error, name }, "a move's record could not be read");
      }
    }
  }

  of(id: MoveId): MoveRecord | undefined {
    return this.#records.get(id);
  }

  /**
   * Writes down how a move ended, however often that must be tried: a full disk has room again some day, and the
   * journal, which tells the same, may not go before.
   */
  async keep(id: MoveId, { role, record }: { role: string; record: MoveRecord }): Promise<void> {
    this.#records.set(id, record);
    for (;;) {
      try {
        await writeFileAtomic(this.#path(id), JSON.stringify({ role, record }));
        return;
      } catch (error) {
        this.#log.warn({ err: error, move: id }, "a move's record could not be written yet");
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
    }
  }

  /** Forgets the oldest of too many. */
  async trim(): Promise<void> {
    const oldest = [...this.#records.values()]
      .sort((a, b) => (a.phases.at(-1)?.at ?? "").localeCompare(b.phases.at(-1)?.at ?? ""))
      .slice(0, Math.max(0, this.#records.size - kept));
    for (const { id } of oldest) {
      this.#records.delete(id);
      await rm(this.#path(id), { force: true });
    }
  }

  #path(id: MoveId): string {
    return join(this.#folder, `${id}.record.json`);
  }
}

/** How a destination's half ended, of which only the record is left. Only a success is taken for a guest that runs. */
export function outcomeOf({ phase, error }: Pick<MoveRecord, "phase" | "error">): DestinationOutcome | null {
  if (phase === "succeeded") return { kind: "runs" };
  if (error === null) return null;
  return { kind: error.code === "MOVE_VM_LOST" ? "died" : "gaveUp", problem: error };
}
