/**
 * Sends the list of the cluster's members to agents: when a connection is made, when the list changes, and again until
 * an agent has it. An agent of an earlier version has no use for it. Every list goes to every host: hosts that join one
 * after the other are told of together, so that the cost does not grow with the square of the hosts, and the list is
 * read once for all. A host that was removed is told of at once.
 */
import { GodwitError, type MemberList } from "@godwit/contract";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLink } from "./host-link.ts";

const retryMs = 2000;
/** What is waited for further changes, for each host that is told; and after a round, four times as long as it took. */
const gatherMsPerHost = 5;
const restShare = 4;
const longestGatherMs = 20_000;
/** So many agents are told at the same time; one that does not answer is waited for by no more than this. */
const atOnce = 64;
const answerLimitMs = 8000;

export class MemberPush {
  /** All that are told. */
  readonly #links: ReadonlyMap<string, HostLink>;
  readonly #store: Store;
  readonly #log: Logger;
  readonly #waiting = new Set<HostLink>();
  readonly #underWay = new Set<HostLink>();
  /** As it was read since its last change. */
  #list: Promise<MemberList> | null = null;
  #gathering: NodeJS.Timeout | undefined;
  /** The last round: from telling all until nobody waits any more. */
  #round = { beganAt: 0, endedAt: 0 };

  constructor(links: ReadonlyMap<string, HostLink>, store: Store, log: Logger) {
    this.#links = links;
    this.#store = store;
    this.#log = log;
  }

  /** To one agent; asked for while it is under way, it is done once more. */
  to(link: HostLink): void {
    this.#waiting.add(link);
    this.#next();
  }

  /** The list is another one. */
  changed(how: "joined" | "removed"): void {
    this.#list = null;
    if (how === "removed") {
      this.#toAll();
      return;
    }
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#toAll();
    }, this.#gatherMs());
  }

  #gatherMs(): number {
    const { beganAt, endedAt } = this.#round;
    const rest = Math.max(0, endedAt - beganAt) * restShare - (performance.now() - endedAt);
    return Math.min(Math.max(this.#links.size * gatherMsPerHost, rest), longestGatherMs);
  }

  stop(): void {
    clearTimeout(this.#gathering);
    this.#waiting.clear();
  }

  #toAll(): void {
    this.#round = { beganAt: performance.now(), endedAt: performance.now() };
    for (const link of this.#links.values()) if (link.isUp) this.to(link);
  }

  #next(): void {
    for (const link of this.#waiting) {
      if (this.#underWay.size >= atOnce) return;
      if (this.#underWay.has(link)) continue;
      this.#waiting.delete(link);
      this.#underWay.add(link);
      void this.#send(link)
        .catch((error: unknown) => {
          this.#log.warn({ err: error, host: link.name }, "the list of members was not taken");
          return "failed" as const;
        })
        .then((outcome) => {
          this.#underWay.delete(link);
          this.#round.endedAt = performance.now();
          if (outcome === "failed") this.#retry(link);
          this.#next();
        });
    }
  }

  #retry(link: HostLink): void {
    setTimeout(() => {
      if (link.isUp) this.to(link); // else when its connection is made again
    }, retryMs).unref();
  }

  async #send(link: HostLink): Promise<"done" | "failed"> {
    const list = await this.#read();
    try {
      const { generation } = await link.agent.call(
        "membersPut",
        { body: list },
        { timeoutMs: answerLimitMs },
      );
      if (generation <= list.generation) return "done";
      // This database was restored from a backup: the list that it has counts all the same.
      const isAhead = await this.#store.members.overtake(generation);
      this.#list = null;
      if (isAhead) return "failed";
      this.#log.error(
        { host: link.name, generation },
        "the agent has a list of members that is not of this cluster",
      );
      return "done";
    } catch (error) {
      if (GodwitError.is(error, "SERVER_SUPERSEDED")) return await this.#overtake(link, error);
      if (GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD") || GodwitError.is(error, "ROUTE_UNKNOWN"))
        return "done";
      throw error;
    }
  }

  /** Another server has taken over, which the database knows; or this one works on a database that was restored. */
  async #overtake(link: HostLink, refusal: GodwitError): Promise<"done" | "failed"> {
    const newest = Number(refusal.problem.details.newest);
    if (Number.isSafeInteger(newest) && (await this.#store.generation.overtake(newest))) return "failed";
    this.#log.error({ host: link.name, newest }, "the agent has heard a server that is not of this cluster");
    return "done";
  }

  async #read(): Promise<MemberList> {
    const reading = (this.#list ??= this.#store.members.list());
    try {
      return await reading;
    } catch (error) {
      if (this.#list === reading) this.#list = null;
      throw error;
    }
  }
}
