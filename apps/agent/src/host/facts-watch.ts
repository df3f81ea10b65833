/** Notices that this host has become another: reads its facts now and then, for nothing tells of all that they are read from. */
import type { HostFacts } from "@godwit/contract";
import type { Logger } from "pino";
import type { EventLog } from "../event-log.ts";

const everyMs = 15_000;

export class FactsWatch {
  readonly #read: () => Promise<HostFacts>;
  readonly #events: EventLog;
  readonly #log: Logger;
  #last: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(read: () => Promise<HostFacts>, events: EventLog, log: Logger) {
    this.#read = read;
    this.#events = events;
    this.#log = log;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      void this.look().finally(() => {
        if (!this.#stopped) this.start();
      });
    }, everyMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Tells of a change since the last look. */
  async look(): Promise<void> {
    try {
      const { reportedAt: _, ...facts } = await this.#read();
      const now = JSON.stringify(facts);
      if (this.#last !== null && this.#last !== now)
        this.#events.append("host.factsChanged", { kind: "host", id: facts.name }, {});
      this.#last = now;
    } catch (error) {
      this.#log.warn({ err: error }, "this host's facts could not be read");
    }
  }
}
