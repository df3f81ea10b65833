/**
 * Keeps what is known of a host up to date. Its facts are read again where they may have changed, its load each time: when
 * something was heard of it, and now and then. A host that answers otherwise than by reports is reported to its presence.
 */
import { GodwitError, type Finding, type HostFacts, type Problem, type VmView } from "@godwit/contract";
import type { HostReport } from "@godwit/requirements";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostClock } from "./host-clock.ts";
import type { HostReader } from "./host-reader.ts";
import type { Presence } from "./presence.ts";
import type { ReportIntake } from "./report-intake.ts";
import type { VmFileWatch } from "./vm-file-watch.ts";

/** Whether a VM that a host claims to run is the host's by its lease. */
export type HoldsLease = (vm: VmView) => Promise<boolean>;

/** What an operator should know of the datastores of a host that told what it is. */
export type JudgeDatastores = (facts: HostFacts) => Promise<Finding[]>;

/** Load changes without an event. Up to a fifth sooner, so that hosts that reported at once do not do so for ever. */
const refreshEveryMs = 15_000;
const refreshSpread = 0.2;

interface Parts {
  name: string;
  reader: HostReader;
  presence: Presence;
  clock: HostClock;
  vmFiles: VmFileWatch;
  store: Store;
  intake: ReportIntake;
  holdsLease: HoldsLease;
  judgeDatastores: JudgeDatastores;
  /** Of the connection and the host's certificate. */
  connectionFindings: () => Finding[];
  log: Logger;
}

export class ReportRefresh {
  readonly #parts: Parts;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | null = null;
  #again = false;
  #isStopped = false;
  /** As they were read last. */
  #facts: HostFacts | null = null;
  /** They may have changed since: by the agent's word, or while the connection was down. */
  #factsAreOld = true;
  /** This program, or a new connection, has not heard yet what the host is: it may have booted, and been ordered something. */
  #isUnread = true;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Whether the boot that is written down is the last in which a server could order anything. */
  get isBootKnown(): boolean {
    return !this.#isUnread;
  }

  /** A connection was made while its events did not flow. */
  connected(): void {
    this.#isUnread = true;
    this.#factsAreOld = true;
  }

  /** Its events flow. */
  opened(): void {
    this.connected();
    this.refresh();
  }

  /** The host's facts may have changed: both reports are read soon. */
  refreshFacts(): void {
    this.#factsAreOld = true;
    this.refresh();
  }

  /** Has the host's reports read soon; several requests at once are one. */
  refresh(): void {
    if (this.#underWay !== null) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#underWay = this.#takeReports().finally(() => {
      this.#underWay = null;
      if (this.#isStopped) return;
      if (this.#again) {
        this.#again = false;
        this.refresh();
        return;
      }
      this.#timer = setTimeout(
        () => {
          this.refresh();
        },
        refreshEveryMs * (1 - refreshSpread * Math.random()),
      );
    });
  }

  /** Has both reports read now, and waits until they are written or could not be. */
  async reported(): Promise<void> {
    this.refreshFacts();
    while (this.#underWay !== null && !this.#isStopped) await this.#underWay;
  }

  async #takeReports(): Promise<void> {
    const { name: host, presence, store, intake, holdsLease, log } = this.#parts;
    const { judgeDatastores, connectionFindings } = this.#parts;
    const known = store.vms.lastChange;
    try {
      const [report] = await Promise.all([this.#readReports(), this.#lookAtVmFiles()]);
      if (report === null) return;
      const { facts, load } = report;
      const datastoreFindings = await judgeDatastores(facts).catch((error: unknown) => {
        log.warn({ err: error }, "the host's datastores could not be compared with the inventory");
        return [];
      });
      // It may have been lost while it was asked, or while its datastores were judged.
      if (!presence.isHeard) return;
      await intake.take({
        ...{ host, facts, load, known, holdsLease },
        connectionFindings: [...datastoreFindings, ...connectionFindings()],
      });
    } catch (error) {
      if (!this.#isStopped) log.info({ err: error }, "the host's reports were not taken in");
    }
  }

  /** An agent of an earlier version does not; one that cannot now is asked again. */
  async #lookAtVmFiles(): Promise<void> {
    const { presence, vmFiles, log } = this.#parts;
    if (!presence.isUp) return;
    await vmFiles.lookWhenDue().catch((error: unknown) => {
      log.debug({ err: error }, "the descriptions of the host's VMs were not looked at");
    });
  }

  /** Null where they are none, which is told of a host that answers otherwise. */
  async #readReports(): Promise<HostReport | null> {
    const { reader, presence, clock, log } = this.#parts;
    try {
      const facts = this.#factsAreOld || this.#facts === null ? await this.#readFacts() : this.#facts;
      const fromMs = Date.now();
      const load = await reader.load();
      clock.take(load.reportedAt, fromMs);
      presence.read();
      return { facts, load };
    } catch (error) {
      if (this.#isStopped) return null;
      log.info({ err: error }, "the host's reports were not read");
      const isOwn = !GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE";
      if (!isOwn) presence.unread(reasonOf(error.problem));
      return null;
    }
  }

  async #readFacts(): Promise<HostFacts> {
    const { name, reader, store } = this.#parts;
    this.#factsAreOld = false; // they may change again while they are read
    try {
      this.#facts = await store.hosts.reported(name, await reader.facts());
      // Another connection may have been made meanwhile.
      this.#isUnread &&= this.#factsAreOld;
      return this.#facts;
    } catch (error) {
      this.#factsAreOld = true;
      throw error;
    }
  }
}

/** Why a host does not answer, as a part of a sentence. */
export const reasonOf = ({ details, detail }: Problem): string =>
  typeof details.reason === "string" ? details.reason : detail.replace(/\.$/, "");
