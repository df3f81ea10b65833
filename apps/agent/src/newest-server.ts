/**
 * Which server gives orders: of several on one database the one that took it over last, known by its generation. An
 * earlier one that does not know yet that it was overtaken is refused. What was heard is kept on disk before an order is
 * carried out, so that it outlives a restart of the agent. A server of an earlier version tells no generation; it is
 * answered as that version's agents did.
 */
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import { z } from "zod";
import { serverGenerationFile, type AgentConfig } from "./config.ts";

const fileSchema = z.object({ version: z.literal(1), generation: z.int().min(0) });

type Config = Pick<AgentConfig, "name" | "stateFolder">;

export class NewestServer {
  readonly #config: Config;
  readonly #log: Logger;
  #newest: number;
  #isWritten = true;
  #writing: Promise<void> = Promise.resolve();

  private constructor(config: Config, log: Logger, newest: number) {
    this.#config = config;
    this.#log = log;
    this.#newest = newest;
  }

  /** As it was heard last. A file that cannot be read says nothing: the next server that calls is taken for the newest. */
  static async read(config: Config, log: Logger): Promise<NewestServer> {
    try {
      const text = await readFileOrNull(serverGenerationFile(config));
      if (text === null) return new NewestServer(config, log, 0);
      const { success, data, error } = fileSchema.safeParse(JSON.parse(text));
      if (!success) throw error;
      return new NewestServer(config, log, data.generation);
    } catch (error) {
      log.error(
        { err: error },
        "which server was answered last cannot be read; the next one that calls counts",
      );
      return new NewestServer(config, log, 0);
    }
  }

  /**
   * A server calls.
   * @param generation null: it tells none
   * @param isOrder whether the call changes anything; what an earlier server only asks is answered
   * @throws SERVER_SUPERSEDED
   */
  async hear(generation: number | null, isOrder: boolean): Promise<void> {
    if (generation === null) return;
    if (generation < this.#newest) {
      if (!isOrder) return;
      const { name: host } = this.#config;
      this.#log.warn(
        { generation, newest: this.#newest },
        "an order of a server that was overtaken is refused",
      );
      throw GodwitError.of("SERVER_SUPERSEDED", { host, generation, newest: this.#newest });
    }
    if (generation > this.#newest) {
      this.#newest = generation;
      this.#isWritten = false;
    }
    if (!this.#isWritten) await this.#write();
  }

  /** A full disk keeps nobody from giving orders: what was heard counts until a restart, and is written with the next call. */
  async #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const generation = this.#newest;
      if (this.#isWritten) return;
      try {
        await writeFileAtomic(serverGenerationFile(this.#config), JSON.stringify({ version: 1, generation }));
        this.#isWritten = generation === this.#newest;
      } catch (error) {
        this.#log.error({ err: error }, "which server was answered last could not be written down");
      }
    });
    await this.#writing;
  }
}
