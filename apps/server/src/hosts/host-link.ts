/**
 * The server's connection to one agent: calls, the agent's events, and the host's two reports. Its facts are read when
 * the connection is made and when the agent says that they changed; its load then, at every change of a VM, and now and
 * then. The connection is up while the agent's event stream flows; a host that is away for a while counts as lost, and so
 * does one whose stream breaks off each time as soon as it stands, or whose reports are none.
 */
import { EventEmitter, once } from "node:events";
import type { PeerCertificate, SecureContext } from "node:tls";
import { Client, hostAnswers, type ClientOptions, type ClientTls } from "@godwit/client";
import {
  agentOperations,
  certificateOf,
  finding,
  GodwitError,
  serverGenerationHeaders,
  silentHello,
  type CertificateOf,
  type Finding,
  type HostFacts,
  type HostLoad,
  type ImageCopy,
  type MoveId,
  type MoveRecord,
  type Problem,
  type VmId,
  type VmView,
} from "@godwit/contract";
import { requireCommonVersion, versionFindings, type HostReport } from "@godwit/requirements";
import type { HostRow, Store } from "@godwit/store";
import { ownHello, sleep } from "@godwit/system";
import type { Logger } from "pino";
import { HostClock } from "./host-clock.ts";
import type { ReportIntake } from "./report-intake.ts";
import { Presence } from "./presence.ts";
import { reportOfVersion1, version1Operations } from "./version-1.ts";
import { VmFileWatch } from "./vm-file-watch.ts";

/** Whether a VM that a host claims to run is the host's by its lease. */
export type HoldsLease = (vm: VmView) => Promise<boolean>;

/** What an operator should know of the datastores of a host that told what it is. */
export type JudgeDatastores = (facts: HostFacts) => Promise<Finding[]>;

/** Load changes without an event. Up to a fifth sooner, so that hosts that reported at once do not do so for ever. */
const refreshEveryMs = 15_000;
const refreshSpread = 0.2;
const reportLimitMs = 8000;

export interface LinkedHost extends Pick<HostRow, "name" | "agentUrl"> {
  /** Whether a certificate, which has the host's name, is its newest. */
  accepts: (certificate: CertificateOf) => boolean;
}

export interface LinkIdentity {
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

/** What a link shows of it: made once for all. */
export interface ShownIdentity extends LinkIdentity {
  context: SecureContext;
}

export class HostLink {
  readonly name: string;
  readonly url: string;
  readonly agent: Client<typeof agentOperations>;
  /** For what an agent of the version before this one calls otherwise. */
  readonly #version1: Client<typeof version1Operations>;
  readonly #accepts: LinkedHost["accepts"];
  readonly #store: Store;
  readonly #intake: ReportIntake;
  readonly #holdsLease: HoldsLease;
  readonly #judgeDatastores: JudgeDatastores;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #signals = new EventEmitter<{
    move: [MoveRecord];
    imageCopy: [string, ImageCopy];
    up: [];
    down: [];
  }>();
  readonly #presence: Presence;
  readonly #clock: HostClock;
  readonly #vmFiles: VmFileWatch;
  #refreshTimer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | null = null;
  #refreshAgain = false;
  #certificate: { endsAt: Date; lateFrom: Date } | null = null;
  /** As they were read last. */
  #facts: HostFacts | null = null;
  /** They may have changed since: by the agent's word, or while the connection was down. */
  #factsAreOld = true;

  constructor(
    host: LinkedHost,
    identity: ShownIdentity,
    store: Store,
    intake: ReportIntake,
    holdsLease: HoldsLease,
    log: Logger,
    judgeDatastores: JudgeDatastores = () => Promise.resolve([]),
  ) {
    this.#judgeDatastores = judgeDatastores;
    this.name = host.name;
    this.url = host.agentUrl;
    this.#accepts = host.accepts;
    this.#store = store;
    this.#intake = intake;
    this.#holdsLease = holdsLease;
    this.#log = log.child({ host: host.name });
    this.#signals.setMaxListeners(0);
    this.#clock = new HostClock(host.name);
    this.#presence = new Presence(host.name, {
      lost: (reason) => {
        this.#tellLoss(reason);
      },
      steady: () => {
        this.refresh();
      },
    });
    const options: ClientOptions = {
      baseUrl: host.agentUrl,
      hello: ownHello,
      headers: () => serverGenerationHeaders(store.generation.current),
      limits: hostAnswers,
      tls: this.#tlsOf(identity),
    };
    this.agent = new Client(agentOperations, options);
    this.#version1 = new Client(version1Operations, options);
    this.#vmFiles = new VmFileWatch(host.name, {
      vms: () => store.vms.foldersOn(host.name),
      ask: async (vms, timeoutMs) =>
        (await this.agent.call("vmFilesLook", { body: { vms } }, { timeoutMs })).vms,
    });
  }

  /** Shows another certificate of the server from now on. */
  show(identity: ShownIdentity): void {
    for (const client of [this.agent, this.#version1]) client.renew(this.#tlsOf(identity));
  }

  /** @param certificate that it was given last: when it ends, and from when on it should have been renewed */
  renewed(certificate: { endsAt: Date; lateFrom: Date } | null): void {
    this.#certificate = certificate;
  }

  /** Its certificate is about to end: its agent should have renewed it long ago. */
  get certificateAlarms(): Finding[] {
    if (this.#certificate === null || this.#certificate.lateFrom.getTime() > Date.now()) return [];
    const endsAt = this.#certificate.endsAt.toISOString();
    return [finding("HOST_CERTIFICATE_ENDS", { host: this.name, endsAt }, "warning")];
  }

  /** Whether the agent's events flow now. */
  get isUp(): boolean {
    return this.#presence.isUp;
  }

  /** What the agent's version means for it; nothing, while it is the server's or not known. */
  get versionFindings(): Finding[] {
    const hello = this.agent.peer;
    return hello === null ? [] : versionFindings(this.name, hello, ownHello);
  }

  start(): void {
    this.#presence.expect("it did not answer since the server was started");
    void this.#followForEver();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#presence.stop();
    clearTimeout(this.#refreshTimer);
    await Promise.all([this.agent.close(), this.#version1.close()]);
  }

  /** Both reports, read now. @throws HOST_UNREACHABLE */
  async freshReport(): Promise<HostReport> {
    const fromMs = Date.now();
    const [facts, load] = await Promise.all([this.freshFacts(), this.freshLoad()]);
    return { facts, load, clock: this.#clock.take(load.reportedAt, fromMs) };
  }

  /** What the host is, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async freshFacts(): Promise<HostFacts> {
    const facts = () => this.agent.call("facts", {}, { timeoutMs: reportLimitMs });
    return await this.#read(facts, (report) => report.facts);
  }

  /** What the host does, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async freshLoad(): Promise<HostLoad> {
    const load = () => this.agent.call("load", {}, { timeoutMs: reportLimitMs });
    return await this.#read(load, (report) => report.load);
  }

  /**
   * A part of the host's report. It is this host's by the certificate of the connection, whatever name it carries.
   * @param earlier the same part of the report of an agent of the version before this one
   */
  async #read<Part extends { name: string }>(
    read: () => Promise<Part>,
    earlier: (report: HostReport) => Part,
  ): Promise<Part> {
    const part = await this.#readAs(read, earlier);
    if (part.name === this.name) return part;
    this.#log.warn({ claimed: part.name }, "the host's report carries another host's name");
    return { ...part, name: this.name };
  }

  async #readAs<Part>(read: () => Promise<Part>, earlier: (report: HostReport) => Part): Promise<Part> {
    try {
      const part = await read();
      this.#checkVersion();
      return part;
    } catch (error) {
      this.#checkVersion();
      const isEarlier = this.agent.peer?.protocol.newest === silentHello.protocol.newest;
      if (!GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD") || !isEarlier) throw this.unreachable(error);
    }
    try {
      return earlier(reportOfVersion1(await this.#version1.call("report", {}, { timeoutMs: reportLimitMs })));
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  /** @throws VERSION_UNSUPPORTED */
  #checkVersion(): void {
    const { peer } = this.agent;
    if (peer !== null) requireCommonVersion(this.name, peer, ownHello);
  }

  /** Calls back with every change of a move of this host until disposed. */
  onMove(id: MoveId, heard: (record: MoveRecord) => void): Disposable {
    const listener = (record: MoveRecord) => {
      if (record.id === id) heard(record);
    };
    this.#signals.on("move", listener);
    return {
      [Symbol.dispose]: () => {
        this.#signals.off("move", listener);
      },
    };
  }

  /** Calls back with how far the copy of an image for a VM is that this host makes, until disposed. */
  onImageCopy(vmId: VmId, heard: (copy: ImageCopy) => void): Disposable {
    const listener = (id: string, copy: ImageCopy) => {
      if (id === vmId) heard(copy);
    };
    this.#signals.on("imageCopy", listener);
    return {
      [Symbol.dispose]: () => {
        this.#signals.off("imageCopy", listener);
      },
    };
  }

  /** Resolves when the line comes up (again), or after `limitMs`. */
  async comesUp(limitMs: number): Promise<void> {
    const limit = AbortSignal.any([AbortSignal.timeout(limitMs), this.#stopped.signal]);
    await once(this.#signals, "up", { signal: limit }).catch(() => undefined);
  }

  onUp(heard: () => void): Disposable {
    this.#signals.on("up", heard);
    return {
      [Symbol.dispose]: () => {
        this.#signals.off("up", heard);
      },
    };
  }

  /** Who answers must be the host, by the newest certificate that it has used. */
  #tlsOf({ context, caPem, certificatePem, keyPem }: ShownIdentity): ClientTls {
    const check = ({ subjectaltname, fingerprint256 }: PeerCertificate): Error | undefined =>
      this.#accepts(certificateOf(subjectaltname, fingerprint256))
        ? undefined
        : new Error("its certificate is not that of the member, or not its newest");
    return {
      ...{ context, ca: caPem, cert: certificatePem, key: keyPem },
      ...{ servername: this.name, unit: "host", check },
    };
  }

  /** An error of a call as one about this host. */
  unreachable(error: unknown): unknown {
    if (!GodwitError.is(error, "CONNECTION_FAILED")) return error;
    const reason = String(error.problem.details.reason);
    return GodwitError.of("HOST_UNREACHABLE", { host: this.name, url: this.url, reason }, { cause: error });
  }

  /** Has the host's reports read soon; several requests at once are one. */
  refresh(): void {
    if (this.#refreshing !== null) {
      this.#refreshAgain = true;
      return;
    }
    clearTimeout(this.#refreshTimer);
    this.#refreshing = this.#takeReports().finally(() => {
      this.#refreshing = null;
      if (this.#stopped.signal.aborted) return;
      if (this.#refreshAgain) {
        this.#refreshAgain = false;
        this.refresh();
        return;
      }
      this.#refreshTimer = setTimeout(
        () => {
          this.refresh();
        },
        refreshEveryMs * (1 - refreshSpread * Math.random()),
      );
    });
  }

  /** Has both reports read now, and waits until they are written or could not be. */
  async reported(): Promise<void> {
    this.#factsAreOld = true;
    this.refresh();
    while (this.#refreshing !== null && !this.#stopped.signal.aborted) await this.#refreshing;
  }

  /** What another version's agent says may not be understood: the line is made again, the server goes on. */
  async #followForEver(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#follow().catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#presence.broke("its events could not be followed");
        this.#log.error({ err: error }, "the agent's events could not be followed");
      });
      await sleep(1000, this.#stopped.signal);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    const stream = this.agent.follow("events", {
      signal,
      onOpen: () => {
        this.#checkVersion();
        this.#presence.opened();
        this.#factsAreOld = true;
        this.refresh();
        this.#signals.emit("up");
      },
      onLost: (error) => {
        if (this.#presence.broke(reasonOf(error.problem))) this.#signals.emit("down");
      },
      onUnknown: ({ type }) => {
        this.#log.warn(
          { type },
          "an event of the agent was passed over: this version does not know its type or its data",
        );
      },
    });
    for await (const event of stream) {
      if (event.type === "move.changed") {
        this.#signals.emit("move", event.data.move);
      } else if (event.type === "vm.imageCopied") {
        this.#signals.emit("imageCopy", event.subject.id, event.data.copy);
      } else if (event.type === "host.factsChanged") {
        this.#factsAreOld = true;
        this.refresh();
      } else if (event.type === "vm.stateChanged" || event.type === "host.leasesChanged") {
        this.refresh();
      }
    }
  }

  #tellLoss(reason: string): void {
    this.#log.warn({ reason }, "host lost");
    this.#store.hosts.lost(this.name, reason).catch((error: unknown) => {
      this.#log.warn({ err: error }, "the loss could not be written down");
      this.#presence.forget();
      if (!this.isUp && !this.#stopped.signal.aborted) this.#presence.expect(reason);
    });
  }

  async #takeReports(): Promise<void> {
    const known = this.#store.vms.lastChange;
    try {
      const [report] = await Promise.all([this.#readReports(), this.#lookAtVmFiles()]);
      if (report === null || !this.#presence.isHeard) return;
      const { facts, load } = report;
      const datastoreFindings = await this.#judgeDatastores(facts).catch((error: unknown) => {
        this.#log.warn({ err: error }, "the host's datastores could not be compared with the inventory");
        return [];
      });
      const connectionFindings = [
        ...datastoreFindings,
        ...this.versionFindings,
        ...this.certificateAlarms,
        ...this.#presence.alarms,
        ...this.#clock.alarms,
        ...this.#vmFiles.alarms,
      ];
      await this.#intake.take({
        ...{ host: this.name, facts, load, connectionFindings, known },
        holdsLease: this.#holdsLease,
      });
    } catch (error) {
      if (!this.#stopped.signal.aborted)
        this.#log.info({ err: error }, "the host's reports were not taken in");
    }
  }

  /** An agent of an earlier version does not; one that cannot now is asked again. */
  async #lookAtVmFiles(): Promise<void> {
    if (!this.isUp) return;
    await this.#vmFiles.lookWhenDue().catch((error: unknown) => {
      this.#log.debug({ err: error }, "the descriptions of the host's VMs were not looked at");
    });
  }

  /** Null where they are none, which is told of a host that answers otherwise. */
  async #readReports(): Promise<HostReport | null> {
    try {
      const facts = this.#factsAreOld || this.#facts === null ? await this.#readFacts() : this.#facts;
      const fromMs = Date.now();
      const load = await this.freshLoad();
      this.#clock.take(load.reportedAt, fromMs);
      this.#presence.read();
      return { facts, load };
    } catch (error) {
      if (this.#stopped.signal.aborted) return null;
      this.#log.info({ err: error }, "the host's reports were not read");
      const isOwn = !GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE";
      if (!isOwn) this.#presence.unread(reasonOf(error.problem));
      return null;
    }
  }

  async #readFacts(): Promise<HostFacts> {
    this.#factsAreOld = false; // they may change again while they are read
    try {
      this.#facts = await this.#store.hosts.reported(this.name, await this.freshFacts());
      return this.#facts;
    } catch (error) {
      this.#factsAreOld = true;
      throw error;
    }
  }
}

/** Why a host does not answer, as a part of a sentence. */
const reasonOf = ({ details, detail }: Problem): string =>
  typeof details.reason === "string" ? details.reason : detail.replace(/\.$/, "");
