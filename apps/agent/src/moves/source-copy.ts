/**
 * The copy out of a VM's QEMU: starts it, follows it, ends it. QEMU's own words for a migration are read here and
 * become inputs of the move; an action answers with the input that its outcome is, or with null where an event tells.
 */
import { join } from "node:path";
import {
  GodwitError,
  normalAddress,
  seenFrom,
  type HostMoveCpu,
  type MoveOrder,
  type MoveRecord,
} from "@godwit/contract";
import { stopReasonOf, type DisksPlace, type QemuProcess } from "@godwit/hypervisor";
import type { CopySample, PauseMoments, QemuSettings, SourceInput } from "@godwit/migration";
import { networkBusyMs } from "@godwit/network";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { migrationCredentials, type CurrentIdentity } from "../identity.ts";
import { CopyCpu } from "./copy-cpu.ts";
import { ConnectWatch } from "./connect-watch.ts";
import { CopyWatch } from "./copy-watch.ts";
import { relayStream, type StreamRelay } from "./stream-relay.ts";

/** For the two QEMUs of a stream that was made again to agree on what is missing. */
const agreeMs = 10_000;
/** A cancellation that was seen on its way this often in a post-copy never ends. */
const stuckAfter = 3;

interface Place {
  address: string;
  port: number;
}

export interface SourceCopyListener {
  onInput: (input: SourceInput) => void;
  onSample: (sample: CopySample) => void;
  /** A moment of the pause, in ms of the wall clock, which QEMU stamps its events with. */
  onMoment: (moment: keyof PauseMoments, atMs: number) => void;
  /** The guest runs on here. */
  onGuestRuns: () => void;
}

export interface SourceAgent {
  config: AgentConfig;
  identity: CurrentIdentity;
  /** Whether this host's further links are used. */
  overAllLinks: () => boolean;
  /** How the destination's QEMU is known, by its certificate. */
  destinationName: () => string;
  log: Logger;
}

export class SourceCopy {
  readonly #order: MoveOrder;
  readonly #process: QemuProcess;
  readonly #listener: SourceCopyListener;
  readonly #agent: SourceAgent;
  readonly #events: Disposable;
  /** QEMU's word for the copy, as last heard. */
  #status: string;
  #pass = 0;
  #watch: CopyWatch | null = null;
  /** Null before the copy starts, and where an earlier agent has started it. */
  #cpu: CopyCpu | null = null;
  /** Until something flows. */
  #connecting: ConnectWatch | null = null;
  /** What its QEMU is set to, or is being set to. */
  #configuring: { what: string; done: Promise<void> } | null = null;
  #isFinishing = false;
  #cancelsSeen = 0;
  #resuming = false;
  /** A stream that was made again. */
  #stream: StreamRelay | null = null;

  /** @param status of the copy now, in QEMU's words */
  constructor(
    order: MoveOrder,
    process: QemuProcess,
    status: string,
    listener: SourceCopyListener,
    agent: SourceAgent,
  ) {
    this.#order = order;
    this.#process = process;
    this.#status = status;
    this.#listener = listener;
    this.#agent = agent;
    this.#events = this.#follow();
  }

  /** Has QEMU set while the destination prepares itself. What fails is told by `start`. */
  prepare(settings: QemuSettings): void {
    void this.#configured(settings).catch(() => undefined);
  }

  /** Where the destination takes the disks, once QEMU has its credentials. @throws any error of QMP */
  async disksPlace(told: Place, settings: QemuSettings): Promise<DisksPlace> {
    await this.#configured(settings);
    return { ...this.#fromHere(told), destinationName: this.#agent.destinationName() };
  }

  /** @throws any error of QMP: the copy has not begun */
  async start(told: Place, settings: QemuSettings): Promise<null> {
    const { migration } = this.#process;
    const to = this.#fromHere(told);
    await this.#configured(settings);
    this.#cpu = new CopyCpu(this.#process.identity.pid, false);
    this.watch(() => networkBusyMs(to));
    await migration.start(to.address, to.port, this.#agent.overAllLinks());
    this.#connecting = new ConnectWatch(
      this.#order,
      this.#process,
      to,
      (problem) => {
        this.#listener.onInput({ type: "copyEnded", reason: problem.detail, problem });
      },
      this.#agent.log,
    );
    return null;
  }

  /** Looks at it from now on. @param busyMs as {@link CopyWatch} has it */
  watch(busyMs: () => Promise<number | null> = () => Promise.resolve(null)): void {
    this.#watch = new CopyWatch(this.#process, this.#listener.onSample, busyMs);
  }

  /** Other parameters for the copy that runs. */
  async tune(parameters: QemuSettings["parameters"]): Promise<null> {
    await this.#process.migration.configure({ capabilities: {}, parameters });
    return null;
  }

  async startPostcopy(): Promise<null> {
    await this.#process.migration.startPostcopy();
    return null;
  }

  async continueSwitchover(): Promise<null> {
    this.#isFinishing = true;
    await this.#process.migration.continueSwitchover();
    return null;
  }

  /** @param memorySplit whether a post-copy may have begun */
  async cancel(memorySplit: boolean): Promise<SourceInput | null> {
    const { migration } = this.#process;
    const before = await migration.query();
    // One that was frozen for long needs a moment to end it; one that is stuck never does.
    if (before.status === "cancelling") this.#cancelsSeen += 1;
    if (postcopyOf(before.status) === "broken" || (memorySplit && this.#cancelsSeen >= stuckAfter)) {
      const reason = "the stream of its memory broke when the VM had just been handed over";
      return { type: "copyStuck", reason };
    }
    if (this.#isFinishing && !memorySplit) {
      this.#isFinishing = false; // should that not end it, the next attempt is an ordinary one
      await migration.yank().catch((error: unknown) => {
        if (!GodwitError.is(error, "QMP_REFUSED")) throw error; // it has ended meanwhile
      });
    } else await migration.cancel();
    const { status, error } = await migration.query();
    if (status === "completed") return { type: "completed" };
    if (status === "none" || status === "cancelled" || status === "failed") {
      return { type: "copyEnded", reason: error ?? `the copy is ${status}` };
    }
    return null; // an event tells its end
  }

  /** A refusal means that QEMU is further than its events have told. */
  async breakStream(): Promise<SourceInput | null> {
    const { migration } = this.#process;
    await migration.breakStream().catch(() => undefined);
    const { status, error } = await migration.query();
    if (status === "completed") return { type: "completed" };
    if (status === "postcopy-paused") return this.#broken();
    if (status === "failed") return { type: "copyEnded", reason: error ?? "the copy failed" };
    return null;
  }

  /** The destination, asked again each second, answers again: only one attempt is made at a time. */
  async resumeStream(to: Place): Promise<SourceInput | null> {
    if (this.#resuming || this.#stream !== null) return null;
    this.#resuming = true;
    const { migration, paths } = this.#process;
    try {
      const { status } = await migration.query();
      if (status === "postcopy-active") return { type: "postcopyActive" };
      if (status !== "postcopy-paused") return null; // an event tells what becomes of it
      this.#keep(
        await relayStream(
          this.#order.to.host,
          this.#fromHere(to),
          join(paths.folder, "rest.sock"),
          (offered) => migration.resumeStream(offered),
        ),
      );
    } finally {
      this.#resuming = false;
    }
    return null;
  }

  /** What QEMU counts of it; nothing where it does not answer any more. */
  async figures(): Promise<Partial<MoveRecord>> {
    const status = await this.#process.migration.query().catch(() => null);
    if (status === null) return {};
    const { qemuDowntimeMs, transferredBytes, rounds } = status;
    return { qemuDowntimeMs, bytes: transferredBytes, rounds };
  }

  /** What it has taken of this host's CPU; null: not measured. */
  cpuUsed(): HostMoveCpu | null {
    return this.#cpu?.used() ?? null;
  }

  /** The VM stays: its QEMU needs no credentials any more. */
  async forgetCredentials(): Promise<void> {
    await this.#configuring?.done.catch(() => undefined);
    await this.#process.migration.forgetCredentials();
  }

  /** Looks at it no more; QEMU is about to be ended. */
  unwatch(): void {
    this.#watch?.end();
    this.#connecting?.[Symbol.dispose]();
  }

  /** Neither looks nor listens any more. */
  [Symbol.dispose](): void {
    this.unwatch();
    this.#stream?.[Symbol.dispose]();
    this.#events[Symbol.dispose]();
  }

  /** What was set before for the same destination is not set again. */
  async #configured(settings: QemuSettings): Promise<void> {
    const destinationName = this.#agent.destinationName();
    const what = JSON.stringify([destinationName, settings]);
    if (this.#configuring?.what !== what) {
      const credentials = migrationCredentials(this.#agent.identity.current);
      const before = this.#configuring?.done.catch(() => undefined) ?? Promise.resolve();
      const { migration } = this.#process;
      const done = before.then(() => migration.configureSource({ settings, credentials, destinationName }));
      this.#configuring = { what, done };
    }
    await this.#configuring.done;
  }

  /** Where the destination listens; a link-local address with this host's own interface. */
  #fromHere({ address, port }: Place): Place {
    const own = this.#agent.config.migration?.address ?? "";
    return { address: seenFrom(own, normalAddress(address)), port };
  }

  #follow(): Disposable {
    const { onInput, onMoment, onGuestRuns } = this.#listener;
    return this.#process.onEvent((event) => {
      const atMs = performance.now();
      const stampMs = event.timestampUs / 1000;
      const pauseReason = stopReasonOf(event);
      if (pauseReason !== null) onInput({ type: "guestPaused", pauseReason });
      if (event.name === "STOP") {
        onMoment("stoppedAtMs", stampMs);
        onInput({ type: "paused", atMs, pass: this.#pass });
      } else if (event.name === "RESUME") {
        onGuestRuns();
      } else if (event.name === "MIGRATION_PASS") {
        this.#pass = Number(event.data.pass);
      } else if (event.name === "MIGRATION") {
        this.#status = String(event.data.status);
        const moment = momentOf[this.#status];
        if (moment !== undefined) onMoment(moment, stampMs);
        this.#hear(this.#status, atMs);
      }
    });
  }

  /** QEMU's words for a migration at its source; those that are not named change nothing. */
  #hear(status: string, atMs: number): void {
    const { onInput } = this.#listener;
    switch (status) {
      case "pre-switchover":
        onInput({ type: "preSwitchover", atMs });
        return;
      case "completed":
        onInput({ type: "completed" });
        return;
      case "postcopy-active":
        onInput({ type: "postcopyActive" });
        return;
      case "postcopy-paused":
        onInput(this.#broken());
        return;
      case "failed":
      case "cancelled":
        void this.#ended(status);
    }
  }

  /** What this agent had carried of it is closed: the system would tell the end of a silent line much later. */
  #broken(): SourceInput {
    this.#stream?.[Symbol.dispose]();
    return { type: "streamBroken" };
  }

  async #ended(status: string): Promise<void> {
    const found = await this.#process.migration.query().catch(() => null);
    this.#listener.onInput({ type: "copyEnded", reason: found?.error ?? `the copy was ${status}` });
  }

  /** Until it has ended no other is made. */
  #keep(stream: StreamRelay): void {
    this.#stream = stream;
    const agree = setTimeout(() => {
      if (this.#status !== "postcopy-active") stream[Symbol.dispose]();
    }, agreeMs);
    void stream.closed.then(() => {
      clearTimeout(agree);
      this.#stream = null;
    });
  }
}

/** Moments of the pause that QEMU's words are. In a post-copy the device state goes with the first pages of the rest. */
const momentOf: Record<string, keyof PauseMoments> = {
  "pre-switchover": "preSwitchoverAtMs",
  device: "deviceAtMs",
  "postcopy-active": "deviceAtMs",
  completed: "completedAtMs",
};

/** A post-copy's stream, in QEMU's words. */
export function postcopyOf(status: string): "active" | "broken" | null {
  if (status === "postcopy-active") return "active";
  return status.startsWith("postcopy-") ? "broken" : null;
}
