/**
 * VMs that have moved away from here: whether frames of their MAC addresses have come back in over this host's uplinks, as the announcement at
 * their new place should. It is looked at in the background, more seldom with time, until it is so, the VM is here again, or a day is over. It is
 * kept in memory only: of moves before its start an agent says nothing.
 */
import { mostUnlearnedMacs, type UnlearnedMac, type Vm, type VmId } from "@godwit/contract";
import type { Learning, PortGroupConfig } from "@godwit/network";
import { sleep } from "@godwit/system";
import type { Logger } from "pino";
import type { Processes } from "../qemu/processes.ts";
import type { HostNetworks } from "./host-networks.ts";

/** An address that is not learned for so long is reported: until then its announcement may be under way. */
const toldAfterMs = 3000;
const watchedForMs = 86_400_000;
/** The announcement takes a second; before it is over nothing follows from a look, which takes this host's processors from other moves. */
const [shortestPauseMs, longestPauseMs] = [1500, 60_000];
/** Where no look has told anything for so long, none will: the port group leads nowhere, or its bridge does not learn. */
const blindForMs = 60_000;
const mostVms = 256;

export interface DepartedVmsParts {
  networks: Pick<HostNetworks, "find">;
  processes: Pick<Processes, "of">;
  learning: (group: PortGroupConfig, mac: string) => Promise<Learning>;
  /** What is reported has changed. */
  onChange: () => void;
  log: Pick<Logger, "info" | "warn">;
}

interface Departed {
  vm: Pick<Vm, "id" | "name">;
  to: string;
  /** On the clock that is never set. */
  leftMs: number;
  waiting: WaitingNic[];
}

interface WaitingNic {
  mac: string;
  portGroup: string;
  /** Since when every look has said that it is not learned; null: the last one did not. */
  notLearnedMs: number | null;
  /** Whether any look could tell. */
  isSeen: boolean;
  isTold: boolean;
}

export class DepartedVms {
  readonly #parts: DepartedVmsParts;
  readonly #departed = new Map<VmId, Departed>();
  readonly #stopped = new AbortController();

  constructor(parts: DepartedVmsParts) {
    this.#parts = parts;
  }

  /** Returns at once. */
  watch({ id, name, nics }: Pick<Vm, "id" | "name" | "nics">, to: string): void {
    const waiting = nics
      .filter(({ connected, portGroup }) => connected !== false && !this.#isDeafTo(portGroup))
      .map(({ mac, portGroup }) => ({ mac, portGroup, notLearnedMs: null, isSeen: false, isTold: false }));
    this.#forget(id);
    if (waiting.length === 0) return;
    const [oldest] = this.#departed.keys();
    if (oldest !== undefined && this.#departed.size >= mostVms) this.#forget(oldest);
    const departed = { vm: { id, name }, to, leftMs: performance.now(), waiting };
    this.#departed.set(id, departed);
    this.#follow(departed).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, vm: name }, "where switches have a VM is not looked at any more");
      if (this.#departed.get(id) === departed) this.#forget(id);
    });
  }

  get unlearned(): UnlearnedMac[] {
    const told = [...this.#departed.values()].flatMap(({ vm: { id }, to, waiting }) =>
      waiting.flatMap(({ mac, portGroup, notLearnedMs, isTold }) =>
        isTold && notLearnedMs !== null
          ? [{ id, mac, portGroup, to, since: new Date(performance.timeOrigin + notLearnedMs).toISOString() }]
          : [],
      ),
    );
    return told.slice(0, mostUnlearnedMacs);
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #follow(departed: Departed): Promise<void> {
    const { vm, leftMs } = departed;
    const { signal } = this.#stopped;
    const isDue = () => this.#departed.get(vm.id) === departed && !signal.aborted;
    while (departed.waiting.length > 0) {
      await sleep(pauseMs(performance.now() - leftMs), signal);
      if (!isDue()) return;
      const isOver = performance.now() - leftMs > watchedForMs;
      if (isOver || this.#parts.processes.of(vm.id) !== undefined) break;
      const deaf = departed.waiting.filter(({ portGroup }) => this.#isDeafTo(portGroup));
      departed.waiting = departed.waiting.filter((nic) => !deaf.includes(nic));
      if (deaf.some(({ isTold }) => isTold)) this.#parts.onChange();
      for (const nic of departed.waiting) {
        const learning = await this.#learningOf(nic);
        if (!isDue()) return;
        this.#take(departed, nic, learning);
      }
    }
    this.#forget(vm.id);
  }

  /** Nothing follows from what is not heard there. */
  #isDeafTo(portGroup: string): boolean {
    return this.#parts.networks.find(portGroup)?.isolatedHosts === true;
  }

  async #learningOf({ mac, portGroup }: WaitingNic): Promise<Learning> {
    const group = this.#parts.networks.find(portGroup);
    return group === undefined ? "unknown" : await this.#parts.learning(group, mac).catch(() => "unknown");
  }

  #take(departed: Departed, nic: WaitingNic, learning: Learning): void {
    const { vm, leftMs, to } = departed;
    const nowMs = performance.now();
    const wasTold = nic.isTold;
    if (learning === "learned") {
      departed.waiting = departed.waiting.filter((one) => one !== nic);
      const afterMs = Math.round(nowMs - leftMs);
      const said = { vm: vm.name, mac: nic.mac, network: nic.portGroup, to, afterMs };
      this.#parts.log.info(said, "the network has learned where the VM is");
      if (wasTold) this.#parts.onChange();
      return;
    }
    nic.isSeen ||= learning === "notLearned";
    if (!nic.isSeen && nowMs - leftMs > blindForMs)
      departed.waiting = departed.waiting.filter((one) => one !== nic);
    nic.notLearnedMs = learning === "unknown" ? null : (nic.notLearnedMs ?? nowMs);
    nic.isTold = nic.notLearnedMs !== null && nowMs - nic.notLearnedMs >= toldAfterMs;
    if (nic.isTold !== wasTold) this.#parts.onChange();
  }

  #forget(id: VmId): void {
    const wasTold = this.#departed.get(id)?.waiting.some(({ isTold }) => isTold) ?? false;
    this.#departed.delete(id);
    if (wasTold) this.#parts.onChange();
  }
}

/** A quarter of the time that has gone by. */
const pauseMs = (passedMs: number): number =>
  Math.min(longestPauseMs, Math.max(shortestPauseMs, passedMs / 4));
