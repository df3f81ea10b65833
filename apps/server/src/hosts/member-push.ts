/**
 * Sends the list of the cluster's members to agents: when a connection is made, when the list changes, and again until
 * an agent has it. An agent of an earlier version has no use for it.
 */
import { GodwitError } from "@godwit/contract";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLink } from "./host-link.ts";

const retryMs = 2000;

export class MemberPush {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #underWay = new Map<HostLink, { again: boolean }>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** To one agent; asked for while it is under way, it is done once more. */
  to(link: HostLink): void {
    const before = this.#underWay.get(link);
    if (before !== undefined) {
      before.again = true;
      return;
    }
    const state = { again: false };
    this.#underWay.set(link, state);
    void this.#send(link)
      .catch((error: unknown) => {
        this.#log.warn({ err: error, host: link.name }, "the list of members was not taken");
        return "failed" as const;
      })
      .then((outcome) => {
        this.#underWay.delete(link);
        if (state.again) this.to(link);
        else if (outcome === "failed") {
          const retry = () => {
            if (link.isUp) this.to(link); // else when its connection is made again
          };
          setTimeout(retry, retryMs).unref();
        }
      });
  }

  async #send(link: HostLink): Promise<"done" | "failed"> {
    const list = await this.#store.members.list();
    try {
      const { generation } = await link.agent.call("membersPut", { body: list });
      if (generation <= list.generation) return "done";
      // This database was restored from a backup: the list that it has counts all the same.
      const isAhead = await this.#store.members.overtake(generation);
      if (isAhead) return "failed";
      this.#log.error(
        { host: link.name, generation },
        "the agent has a list of members that is not of this cluster",
      );
      return "done";
    } catch (error) {
      if (GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD") || GodwitError.is(error, "ROUTE_UNKNOWN"))
        return "done";
      throw error;
    }
  }
}
