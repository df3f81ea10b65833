/**
 * VMs that have moved, and whose addresses the host that they left has not learned, are announced again by the host that they are on: a few
 * times, with growing pauses, for as long as the report names them. What was announced is kept in memory only: a server that starts begins again.
 */
import type { HostLoad, UnlearnedMac, VmId } from "@godwit/contract";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLink } from "./host-link.ts";

/** Before each announcement, since the one before it. Reports come every 15 s, and when what they name changes. */
const pausesMs = [0, 10_000, 30_000, 120_000, 600_000];
const answerLimitMs = 8000;

/** Announcements of one VM at its place. */
export interface Tries {
  to: string;
  count: number;
  lastMs: number;
}

/** Whether it is to be announced now. Pure. */
export function isDue(tries: Tries | undefined, to: string, nowMs: number): boolean {
  if (tries?.to !== to) return true;
  const pauseMs = pausesMs[tries.count];
  return pauseMs !== undefined && nowMs - tries.lastMs >= pauseMs;
}

export interface AnnouncementsParts {
  links: ReadonlyMap<string, Pick<HostLink, "isUp" | "agent">>;
  store: Pick<Store, "vms" | "hosts">;
  log: Pick<Logger, "info">;
  nowMs?: () => number;
}

export class Announcements {
  readonly #parts: AnnouncementsParts;
  readonly #now: () => number;
  /** By the host that reports. */
  readonly #tries = new Map<string, Map<VmId, Tries>>();

  constructor(parts: AnnouncementsParts) {
    this.#parts = parts;
    this.#now = parts.nowMs ?? (() => performance.now());
  }

  /** Takes what a host reports. Resolves when what is due was announced, or could not be. */
  async take({ name: witness, unlearnedMacs = [] }: Pick<HostLoad, "name" | "unlearnedMacs">): Promise<void> {
    const before = this.#tries.get(witness);
    this.#tries.delete(witness);
    if (unlearnedMacs.length === 0) return;
    const nowMs = this.#now();
    const tries = new Map<VmId, Tries>();
    const due: UnlearnedMac[] = [];
    for (const one of new Map(unlearnedMacs.map((mac) => [mac.id, mac])).values()) {
      const last = before?.get(one.id);
      if (!isDue(last, one.to, nowMs)) {
        if (last !== undefined) tries.set(one.id, last);
        continue;
      }
      const count = last?.to === one.to ? last.count + 1 : 1;
      tries.set(one.id, { to: one.to, count, lastMs: nowMs });
      due.push(one);
    }
    this.#tries.set(witness, tries);
    if (due.length > 0) await this.#announce(witness, due);
  }

  /** A host that is no more. */
  forget(host: string): void {
    this.#tries.delete(host);
  }

  async #announce(witness: string, due: readonly UnlearnedMac[]): Promise<void> {
    const { links, store, log } = this.#parts;
    const views = await store.vms.some(due.map(({ id }) => id));
    await Promise.all(
      views.map(async ({ id, name: vm, host, state }) => {
        const link = links.get(host);
        const isThere = state === "running" && due.some((one) => one.id === id && one.to === host);
        if (!isThere || link?.isUp !== true) return;
        try {
          const { facts } = await store.hosts.show(host);
          if (facts?.abilities?.includes("announce") !== true) return; // its agent is an earlier one
          await link.agent.call("vmAnnounce", { params: { vmId: id } }, { timeoutMs: answerLimitMs });
          log.info(
            { vm, host, witness },
            "a VM was announced again: the host that it left has not learned it",
          );
        } catch (error) {
          log.info({ err: error, vm, host, witness }, "a VM could not be announced again");
        }
      }),
    );
  }
}
