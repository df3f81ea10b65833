/**
 * What the source of a move does for its reducer, an action for each effect: with QEMU's copy, the disks, the lease, the VM and
 * the peer. Each returns at once; its outcome is given to the reducer as an input.
 */
import type { MoveOrder, Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  chooseStrategy,
  copyLimits,
  type CopySample,
  type PauseMoments,
  type QemuSettings,
  type SourceEffect,
  type SourceInput,
  type SourceOutcome,
  type SourceState,
} from "@godwit/migration";
import type { Logger } from "pino";
import type { MoveDependencies } from "./dependencies.ts";
import type { LeaseQuestion } from "./lease-questions.ts";
import { SourceCopy } from "./source-copy.ts";
import { SourceDisks } from "./source-disks.ts";
import type { SourcePeer } from "./source-peer.ts";
import type { SourceRecord } from "./source-record.ts";
import { leaseUnknown, SourceVm } from "./source-vm.ts";

/** The move that the actions are of. */
export interface SourceActionsMove {
  order: MoveOrder;
  /** Null where QEMU was gone when the agent came back. */
  process: QemuProcess | null;
  record: SourceRecord;
  log: Logger;
  state: () => SourceState;
  /** Null until it is connected to. */
  peer: () => SourcePeer | null;
  give: (input: SourceInput) => void;
  /** As `try` of the runner. */
  try: (action: () => Promise<SourceInput | null>, failed: (problem: Problem) => SourceInput | null) => void;
}

/** Of the effects, those that are not the runner's or the end of the move. */
export type SourceAction = Exclude<
  SourceEffect,
  { do: "journal" | "arm" | "disarm" | "note" | "finish" | "close" }
>;

export class SourceActions implements Disposable {
  readonly #move: SourceActionsMove;
  readonly #dependencies: MoveDependencies;
  /** Null where QEMU was gone when the agent came back. */
  readonly #copy: SourceCopy | null;
  /** Null where they stay where they are, or QEMU was gone. */
  readonly #disks: SourceDisks | null;
  readonly #vm: SourceVm;

  /** @param copyStatus QEMU's word for the copy */
  constructor(move: SourceActionsMove, copyStatus: string, dependencies: MoveDependencies) {
    const { order, process, log } = move;
    this.#move = move;
    this.#dependencies = dependencies;
    this.#vm = new SourceVm(order.vm, process, dependencies, log);
    this.#copy = process === null ? null : this.#follow(process, copyStatus);
    const listener = {
      onInput: (input: SourceInput) => {
        move.give(input);
      },
      onCopy: (progress: Parameters<SourceRecord["disks"]>[0]) => {
        move.record.disks(progress);
      },
    };
    this.#disks =
      process === null || order.storage === undefined ? null : new SourceDisks(order, process, listener);
  }

  perform(effect: SourceAction): void {
    switch (effect.do) {
      case "shareLease":
        this.#askLease("share");
        return;
      case "exclusiveLease":
        this.#askLease("exclusive");
        return;
      case "reacquireLease":
        this.#askLease("reacquire");
        return;
      case "send":
        this.#move.peer()?.send(effect.message);
        if (effect.message.type === "prepare") this.#copy?.prepare(this.#settings());
        return;
      case "copyDisks":
        this.#copyDisks(effect);
        return;
      case "endDisks":
        this.#endDisks();
        return;
      case "removeDisks":
        this.#tell(() => this.#vm.removeDisks());
        return;
      case "startCopy":
        this.#ask((copy) => copy.start(effect, this.#settings()), copyEnded);
        return;
      case "tune":
        this.#ask((copy) => copy.tune(effect.parameters));
        return;
      case "pauseVcpus":
        this.#pauseVcpus();
        return;
      case "startPostcopy":
        this.#ask((copy) => copy.startPostcopy());
        return;
      case "breakStream":
        this.#ask((copy) => copy.breakStream());
        return;
      case "resumeStream":
        this.#ask((copy) => copy.resumeStream(effect));
        return;
      case "continueSwitchover":
        this.#ask((copy) => copy.continueSwitchover(), refusedCopyEnded);
        return;
      case "cancelCopy":
        this.#cancelCopy();
        return;
      case "resumeVcpus":
        this.#tell(() => this.#vm.resume()); // QEMU that is gone is told by itself
        return;
      case "activateDisks":
        this.#activateDisks();
        return;
      case "remove":
        this.#remove();
        return;
      case "releaseLease":
        this.#tell(() => this.#vm.releaseLease());
        return;
    }
  }

  /** Looks at a copy that runs since before this agent. */
  watchCopy(): void {
    this.#copy?.watch();
  }

  /** The move has ended: the VM is here what it is from now on, and neither its copy nor its disks are looked at. */
  async settle(outcome: SourceOutcome): Promise<void> {
    this[Symbol.dispose]();
    if (outcome.kind === "stayed" && this.#copy !== null) {
      await this.#lastFigures();
      await this.#copy.forgetCredentials().catch(() => undefined);
    }
    await this.#vm.removed();
    this.#vm.settle(outcome, this.#move.state().pauseReason);
  }

  [Symbol.dispose](): void {
    this.#copy?.[Symbol.dispose]();
    this.#disks?.[Symbol.dispose]();
  }

  #settings(): QemuSettings {
    const { order, qemuVersion } = this.#move.state();
    return chooseStrategy(order, qemuVersion).sourceSettings(order, copyLimits(order, qemuVersion));
  }

  #askLease(question: LeaseQuestion): void {
    this.#move.try(() => this.#vm.askLease(question), leaseUnknown);
  }

  #follow(process: QemuProcess, copyStatus: string): SourceCopy {
    const { order, record, give, peer, log } = this.#move;
    void process.ended.then(({ reason, heardAll }) => {
      give({ type: "qemuGone", reason, heardAll });
    });
    const listener = {
      onInput: give,
      onSample: (sample: CopySample) => {
        this.#sampled(sample);
      },
      onMoment: (moment: keyof PauseMoments, atMs: number) => {
        record.moment(moment, atMs);
      },
      onGuestRuns: () => {
        record.guestRunsOn();
      },
    };
    const destinationName = () => peer()?.destinationName ?? order.to.host;
    const { config, identity, furtherLinks } = this.#dependencies;
    const agent = { config, identity, overAllLinks: () => furtherLinks.areUsed, destinationName, log };
    return new SourceCopy(order, process, copyStatus, listener, agent);
  }

  /** A destination that does not respond, or a host whose own lease is not renewed, could not run the VM. */
  #sampled(sample: CopySample): void {
    const { order, peer, give } = this.#move;
    const isUp = peer()?.isFresh === true;
    const peerFresh =
      isUp && this.#dependencies.lockspaces.areFresh(order.vm.datastore, [order.from, order.to.host]);
    give({ type: "sample", sample, peerFresh });
  }

  /** STOP tells that it was done; a QEMU that does not answer is told by its end or by the budget. */
  #pauseVcpus(): void {
    this.#move.record.switchBegins();
    this.#tell(async () => {
      await this.#move.process?.pause();
      return null;
    });
  }

  #cancelCopy(): void {
    this.#ask(async (copy) => {
      await this.#disks?.cancel();
      return await copy.cancel(this.#move.state().memorySplit);
    });
  }

  #copyDisks(told: { address: string; port: number }): void {
    const disks = this.#disks;
    if (disks === null) return;
    this.#ask(
      async (copy) => await disks.copy(await copy.disksPlace(told, this.#settings())),
      (problem) => disks.failed(problem),
    );
  }

  #endDisks(): void {
    const disks = this.#disks;
    if (disks === null) return;
    this.#move.try(
      () => disks.end(),
      (problem) => disks.failed(problem),
    );
  }

  #activateDisks(): void {
    this.#move.try(
      () => this.#vm.activateDisks(),
      ({ detail }) => ({ type: "resumeFailed", reason: detail }),
    );
  }

  #remove(): void {
    const { state, log } = this.#move;
    this.#copy?.unwatch();
    this.#move.try(
      async () => {
        await this.#lastFigures();
        return await this.#vm.remove(state().phase === "cleaningUp" ? "moved" : null);
      },
      (problem) => {
        log.error({ problem }, "the VM could not be removed");
        return { type: "removed" };
      },
    );
  }

  async #lastFigures(): Promise<void> {
    if (this.#copy === null) return;
    const source = this.#copy.cpuUsed();
    if (source !== null) this.#move.record.cpu({ source });
    this.#move.record.figures(await this.#copy.figures());
  }

  /** A refusal that tells nothing is made up for by QEMU's events, its end, or the next attempt. */
  #ask(
    action: (copy: SourceCopy) => Promise<SourceInput | null>,
    refused: (problem: Problem) => SourceInput | null = () => null,
  ): void {
    const copy = this.#copy;
    if (copy === null) return;
    this.#move.try(
      () => action(copy),
      (problem) => {
        this.#move.log.warn({ problem }, "a step of the copy was not done");
        return refused(problem);
      },
    );
  }

  /** What fails tells nothing. */
  #tell(action: () => Promise<SourceInput | null>): void {
    this.#move.try(action, () => null);
  }
}

/** Who does not answer has not refused: the switch's own clock, and QEMU's events, tell what becomes of it. */
const refusedCopyEnded = (problem: Problem): SourceInput | null =>
  problem.code === "QMP_REFUSED" ? copyEnded(problem) : null;

const copyEnded = ({ detail }: Problem): SourceInput => ({ type: "copyEnded", reason: detail });
