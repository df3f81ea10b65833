/**
 * What the destination of a move does for its reducer, an action for each effect: with QEMU's copy, the disks, the lease, the VM
 * and the peer. Each returns at once; its outcome is given to the reducer as an input.
 */
import type { MoveOrder, Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type {
  DestinationEffect,
  DestinationInput,
  DestinationOutcome,
  DestinationState,
  StartTimes,
} from "@godwit/migration";
import type { Logger } from "pino";
import { resumeForSure } from "../qemu/resume-for-sure.ts";
import { correctGuestClock } from "../vms/guest-clock.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { DestinationCopy } from "./destination-copy.ts";
import { DestinationVm } from "./destination-vm.ts";
import { unknownAnswer } from "./lease-questions.ts";
import type { AcceptedPeer } from "./peer-link.ts";
import { WallClock } from "./wall-clock.ts";

/** The move that the actions are of. */
export interface DestinationActionsMove {
  order: MoveOrder;
  log: Logger;
  peer: AcceptedPeer;
  state: () => DestinationState;
  give: (input: DestinationInput) => void;
  /** As `try` of the runner. */
  try: (
    action: () => Promise<DestinationInput | null>,
    failed: (problem: Problem) => DestinationInput | null,
  ) => void;
}

/** What an earlier agent has left of the move. */
export interface DestinationRemains {
  /** Null where its QEMU was not started, or is gone. */
  process: QemuProcess | null;
  /** QEMU's word for the copy. */
  copyStatus: string;
  hasFiles: boolean;
}

/** Of the effects, those that are not the runner's or the end of the move. */
export type DestinationAction = Exclude<DestinationEffect, { do: "journal" | "arm" | "disarm" | "finish" }>;

export class DestinationActions {
  readonly #move: DestinationActionsMove;
  readonly #dependencies: MoveDependencies;
  readonly #vm: DestinationVm;
  readonly #clock = new WallClock();
  /** Null until its QEMU is started, and where that was gone when the agent came back. */
  #copy: DestinationCopy | null;
  #commitAtMs: number | null = null;

  constructor(
    move: DestinationActionsMove,
    { process, copyStatus, hasFiles }: DestinationRemains,
    dependencies: MoveDependencies,
  ) {
    this.#move = move;
    this.#dependencies = dependencies;
    this.#vm = new DestinationVm(move.order, hasFiles, dependencies, move.log);
    this.#copy = process === null ? null : this.#follow(process, copyStatus);
  }

  perform(effect: DestinationAction): void {
    switch (effect.do) {
      case "prepare":
        this.#prepare();
        return;
      case "send":
        this.#move.peer.send(effect.message);
        return;
      case "resumeVcpus":
        this.#resume();
        return;
      case "activateDisks":
        this.#activateDisks();
        return;
      case "announce":
        this.#announce();
        return;
      case "recoverStream":
        this.#recoverStream();
        return;
      case "exclusiveLease":
        if (this.#move.state().phase === "postcopyReceiving") this.#lookAgain();
        this.#move.try(
          () => this.#vm.askExclusiveLease(),
          (problem) => ({ type: "leaseAnswered", answer: unknownAnswer(problem) }),
        );
        return;
      case "remove":
        this.#remove();
        return;
      case "removeDisks":
        this.#tell(() => this.#vm.removeDisks());
        return;
      case "releaseLease":
        this.#tell(() => this.#vm.releaseLease());
        return;
    }
  }

  /** The source's commit has come. */
  committed(atMs: number): void {
    this.#commitAtMs ??= atMs;
  }

  /** Of a post-copy that an earlier agent has seen begin. */
  awaitHalf(): void {
    void this.#copy?.awaitHalf();
  }

  /** The move has ended: the copy is not looked at any more. */
  async settle(outcome: DestinationOutcome): Promise<void> {
    this.#clock[Symbol.dispose]();
    this.#copy?.[Symbol.dispose]();
    if (outcome.kind === "runs")
      await this.#copy?.process.migration.forgetCredentials().catch(() => undefined);
    await this.#vm.settle(outcome);
  }

  #prepare(): void {
    const preparation = this.#vm.prepare((process) => {
      this.#copy = this.#follow(process, "none");
    });
    this.#move.try(
      async () => ({ type: "prepared", ...(await preparation) }),
      (problem) => ({ type: "prepareFailed", problem }),
    );
  }

  #follow(process: QemuProcess, copyStatus: string): DestinationCopy {
    return new DestinationCopy(process, copyStatus, this.#move.give);
  }

  #recoverStream(): void {
    const copy = this.#copy;
    const { migration } = this.#dependencies.config;
    if (copy === null || migration === undefined) return;
    const { state, log } = this.#move;
    this.#move.try(
      () => copy.recover(migration, state().phase !== "receiving"),
      (problem) => {
        log.warn({ problem }, "QEMU does not listen again yet");
        return null;
      },
    );
  }

  /** A QEMU that is gone tells that by itself. */
  #resume(): void {
    const process = this.#copy?.process;
    if (process === undefined) return;
    this.#tell(async () => {
      const problem = await this.#vm.takeOver(process);
      if (problem !== null) return { type: "resumeFailed", reason: problem };
      const contAtMs = performance.now();
      const refusal = await resumeForSure(process);
      if (refusal !== null) return { type: "resumeFailed", reason: refusal };
      const commitToResumeMs = this.#commitAtMs === null ? 0 : performance.now() - this.#commitAtMs;
      this.#dependencies.processes.mark(process.vmId, "running");
      return { type: "resumed", commitToResumeMs, start: this.#startTimes(contAtMs) };
    });
  }

  /** The guest stands still here as it did at the source. */
  #activateDisks(): void {
    const process = this.#copy?.process;
    if (process === undefined) return;
    this.#move.try(
      async () => {
        const problem = await this.#vm.takeOver(process);
        if (problem !== null) return { type: "resumeFailed", reason: problem };
        await process.activateDisks();
        const { pauseReason } = this.#move.state();
        if (pauseReason !== null) this.#dependencies.processes.paused(process.vmId, pauseReason);
        return { type: "disksActive" };
      },
      ({ detail }) => ({ type: "resumeFailed", reason: detail }),
    );
  }

  /** This host's part of the pause. */
  #startTimes(contAtMs: number): StartTimes | null {
    if (this.#commitAtMs === null) return null;
    const resumedAtMs = this.#copy?.resumedAtMs ?? null;
    const resumeMs = resumedAtMs === null ? null : resumedAtMs - this.#clock.at(contAtMs);
    return {
      contMs: contAtMs - this.#commitAtMs,
      resumeMs: resumeMs === null ? null : Math.max(0, resumeMs),
    };
  }

  #announce(): void {
    const copy = this.#copy;
    if (copy === null) return;
    correctGuestClock(copy.process, this.#move.log);
    this.#tell(async () => {
      await copy.process.migration.announce();
      const { resumedAtMs } = copy;
      if (resumedAtMs === null) return null;
      const announceMs = Math.max(0, this.#clock.at(performance.now()) - resumedAtMs);
      const cpu = copy.cpu.used();
      return { type: "announced", announceMs, ...(cpu === null ? {} : { cpu }) };
    });
  }

  /** One that does not answer waits for memory. */
  #lookAgain(): void {
    const copy = this.#copy;
    if (copy === null) return;
    this.#tell(() => copy.lookAgain(this.#move.state().streamBroken));
  }

  #remove(): void {
    const { state, log } = this.#move;
    const as = state().phase === "died" ? "lost" : "moved";
    this.#move.try(
      () => this.#vm.remove(() => this.#copy?.process ?? null, as),
      (problem) => {
        log.error({ problem }, "the VM could not be removed");
        return { type: "removed" };
      },
    );
  }

  /** What fails tells nothing. */
  #tell(action: () => Promise<DestinationInput | null>): void {
    this.#move.try(action, () => null);
  }
}
