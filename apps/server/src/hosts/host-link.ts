/**
 * The server's connection to one agent: calls, the agent's events, and the host's two reports. Its facts are read when
 * the connection is made and when the agent says that they changed; its load then, at every change of a VM, and now and
 * then. The connection is up while the agent's event stream flows; a host that is away for a while counts as lost, and so
 * does one whose stream breaks off each time as soon as it stands, or whose reports are none.
 */
import {
  finding,
  type Finding,
  type HostFacts,
  type HostLoad,
  type ImageCopy,
  type MoveId,
  type MoveRecord,
  type TaskId,
  type VmId,
} from "@godwit/contract";
import type { HostReport } from "@godwit/requirements";
import type { Store } from "@godwit/store";
import { sleep } from "@godwit/system";
import type { Logger } from "pino";
import { HostClock } from "./host-clock.ts";
import { HostReader, type SeenLoad } from "./host-reader.ts";
import { HostSignals } from "./host-signals.ts";
import type { LinkedHost, ShownIdentity } from "./link-identity.ts";
import { Presence } from "./presence.ts";
import type { ReportIntake } from "./report-intake.ts";
import { reasonOf, ReportRefresh, type HoldsLease, type JudgeDatastores } from "./report-refresh.ts";
import { VmFileWatch } from "./vm-file-watch.ts";

/** Events after which its load is read again. */
const refreshing: ReadonlySet<string> = new Set([
  "vm.stateChanged",
  "host.leasesChanged",
  "host.loadChanged",
]);

export class HostLink {
  readonly name: string;
  readonly url: string;
  readonly #store: Store;
  readonly #intake: ReportIntake;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #signals = new HostSignals();
  readonly #reader: HostReader;
  readonly #presence: Presence;
  readonly #clock: HostClock;
  readonly #reports: ReportRefresh;
  #certificate: { endsAt: Date; lateFrom: Date } | null = null;

  constructor(
    host: LinkedHost,
    identity: ShownIdentity,
    store: Store,
    intake: ReportIntake,
    holdsLease: HoldsLease,
    log: Logger,
    judgeDatastores: JudgeDatastores = () => Promise.resolve([]),
    seen: SeenLoad = (load) => load,
  ) {
    const { name, agentUrl } = host;
    this.name = name;
    this.url = agentUrl;
    this.#store = store;
    this.#intake = intake;
    this.#log = log.child({ host: name });
    this.#reader = new HostReader(host, identity, store.generation, this.#log, seen, () => {
      // Before its events flow again it may be ordered something, and it may have booted.
      if (!this.isUp) this.#reports.connected();
    });
    this.#clock = new HostClock(name);
    this.#presence = new Presence(name, {
      lost: (reason) => {
        this.#tellLoss(reason);
      },
      steady: () => {
        this.#reports.refresh();
      },
    });
    const vmFiles = new VmFileWatch(name, {
      vms: () => store.vms.foldersOn(name),
      ask: async (vms, timeoutMs) =>
        (await this.agent.call("vmFilesLook", { body: { vms } }, { timeoutMs })).vms,
    });
    this.#reports = new ReportRefresh({
      ...{ name, reader: this.#reader, presence: this.#presence, clock: this.#clock, vmFiles },
      ...{ store, intake, holdsLease, judgeDatastores, log: this.#log },
      connectionFindings: () => [
        ...this.versionFindings,
        ...this.certificateAlarms,
        ...this.#presence.alarms,
        ...this.#clock.alarms,
        ...vmFiles.alarms,
      ],
    });
  }

  get agent(): HostReader["agent"] {
    return this.#reader.agent;
  }

  /** Shows another certificate of the server from now on. */
  show(identity: ShownIdentity): void {
    this.#reader.show(identity);
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

  /** Whether the boot that is written down is the last in which a server could order anything. */
  get isBootKnown(): boolean {
    return this.#reports.isBootKnown;
  }

  /** What the agent's version means for it; nothing, while it is the server's or not known. */
  get versionFindings(): Finding[] {
    return this.#reader.versionFindings;
  }

  start(): void {
    this.#presence.expect("it did not answer since the server was started");
    void this.#followForEver();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#presence.stop();
    this.#reports.stop();
    await this.#reader.close();
  }

  /** Both reports, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async freshReport(): Promise<HostReport> {
    const fromMs = Date.now();
    const [facts, load] = await Promise.all([this.freshFacts(), this.freshLoad()]);
    return { facts, load, clock: this.#clock.take(load.reportedAt, fromMs) };
  }

  /** What the host is, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async freshFacts(): Promise<HostFacts> {
    return await this.#reader.facts();
  }

  /** What the host does, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async freshLoad(): Promise<HostLoad> {
    return await this.#reader.load();
  }

  /** Whether the agent answers now, in time, and in a version that is understood. */
  async answers(limitMs: number): Promise<boolean> {
    return await this.#reader.answers(limitMs);
  }

  /** An error of a call as one about this host. */
  unreachable(error: unknown): unknown {
    return this.#reader.unreachable(error);
  }

  /** Calls back with every change of a move of this host until disposed. */
  onMove(id: MoveId, heard: (record: MoveRecord) => void): Disposable {
    return this.#signals.onMove(id, heard);
  }

  /** Calls back with how far the copy of an image is that this host makes, for a VM or a task, until disposed. */
  onImageCopy(vmId: VmId | TaskId, heard: (copy: ImageCopy) => void): Disposable {
    return this.#signals.onImageCopy(vmId, heard);
  }

  /** Resolves when the line comes up (again), or after `limitMs`. */
  async comesUp(limitMs: number): Promise<void> {
    await this.#signals.comesUp(AbortSignal.any([AbortSignal.timeout(limitMs), this.#stopped.signal]));
  }

  onUp(heard: () => void): Disposable {
    return this.#signals.onUp(heard);
  }

  /** Has the host's reports read soon; several requests at once are one. */
  refresh(): void {
    this.#reports.refresh();
  }

  /** Has both reports read now, and waits until they are written or could not be. */
  async reported(): Promise<void> {
    await this.#reports.reported();
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
        this.#reader.checkVersion();
        this.#presence.opened();
        this.#reports.opened();
        this.#signals.cameUp();
      },
      onLost: (error) => {
        this.#presence.broke(reasonOf(error.problem));
      },
      onUnknown: ({ type }) => {
        this.#log.warn(
          { type },
          "an event of the agent was passed over: this version does not know its type or its data",
        );
      },
    });
    for await (const event of stream) {
      if (event.type === "move.changed") this.#signals.moved(event.data.move);
      else if (event.type === "vm.imageCopied") this.#signals.copied(event.subject.id, event.data.copy);
      else if (event.type === "image.fetched") this.#signals.copied(event.subject.id, event.data.copy);
      else if (event.type === "host.factsChanged") this.#reports.refreshFacts();
      else if (refreshing.has(event.type)) this.#reports.refresh();
    }
  }

  /** A report of before that is still being written would tell that the host has returned. */
  async #writeLoss(reason: string): Promise<void> {
    await this.#intake.withdraw(this.name);
    const isLoss = await this.#store.hosts.lost(this.name, reason);
    if (isLoss) this.#log.warn({ reason }, "host lost");
    else this.#log.info({ reason }, "host does not answer: the server changes its power");
  }

  #tellLoss(reason: string): void {
    this.#writeLoss(reason).catch((error: unknown) => {
      this.#log.warn({ err: error }, "the loss could not be written down");
      this.#presence.forget();
      if (!this.isUp && !this.#stopped.signal.aborted) this.#presence.expect(reason);
    });
  }
}
