/** Notices that this host has become another: reads its facts now and then, for nothing tells of all that they are read from. */
import type { HostFacts } from "@godwit/contract";
import type { Logger } from "pino";
import type { EventLog } from "../event-log.ts";
import { RepeatedLook } from "../repeated-look.ts";

const everyMs = 15_000;

export class FactsWatch {
  readonly #read: () => Promise<HostFacts>;
  readonly #events: EventLog;
  readonly #log: Logger;
  #last: string | null = null;

  constructor(read: () => Promise<HostFacts>, events: EventLog, log: Logger) {
    this.#read = read;
    this.#events = events;
    this.#log = log;
  }

  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.look(),
      (error) => {
        this.#log.warn({ err: error }, "this host's facts could not be read");
      },
    );
  }

  /** Tells of a change since the last look. @throws what reading the facts throws */
  async look(): Promise<void> {
    const { reportedAt: _, ...facts } = await this.#read();
    const now = JSON.stringify(facts);
    if (this.#last !== null && this.#last !== now)
      this.#events.append("host.factsChanged", { kind: "host", id: facts.name }, {});
    this.#last = now;
  }
}
