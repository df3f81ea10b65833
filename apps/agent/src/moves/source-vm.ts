/**
 * What the source does with the moving VM beside the copy: let it run on, give its disks back to its QEMU, remove it, give
 * its lease back. Each answers with what the reducer is told of it.
 */
import type { MoveOrder, PauseReason } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { SourceInput, SourceOutcome } from "@godwit/migration";
import { removeDeparted } from "@godwit/storage";
import type { Logger } from "pino";
import { correctGuestClock } from "../vms/guest-clock.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { askLease, unknownAnswer, type LeaseQuestion } from "./lease-questions.ts";
import { resumeForSure } from "../qemu/resume-for-sure.ts";
import { untilDone } from "./until-done.ts";
import { removeVm } from "./vm-removal.ts";

export class SourceVm {
  readonly #vm: MoveOrder["vm"];
  /** Null where QEMU was gone when the agent came back. */
  readonly #process: QemuProcess | null;
  readonly #dependencies: MoveDependencies;
  readonly #log: Logger;
  #tapsRemoved: Promise<void> = Promise.resolve();

  constructor(vm: MoveOrder["vm"], process: QemuProcess | null, dependencies: MoveDependencies, log: Logger) {
    this.#vm = vm;
    this.#process = process;
    this.#dependencies = dependencies;
    this.#log = log;
  }

  async askLease(question: LeaseQuestion): Promise<SourceInput> {
    const { leases, config } = this.#dependencies;
    const answer = await askLease(leases, config.name, this.#vm, question);
    return { type: "leaseAnswered", answer };
  }

  /** Null: nothing is told, for QEMU is gone, which tells itself. */
  async resume(): Promise<SourceInput | null> {
    const process = this.#process;
    if (process === null) return null;
    const refusal = await resumeForSure(process);
    if (refusal === null) {
      correctGuestClock(process, this.#log);
      return { type: "resumed" };
    }
    // A guest that is switched off, or that QEMU cannot go on with, is not let run whatever is asked.
    const { pauseReason } = await process.guestState();
    const isFinal = pauseReason === "shutdown" || pauseReason === "internal-error";
    return isFinal ? { type: "guestPaused", pauseReason } : { type: "resumeFailed", reason: refusal };
  }

  async activateDisks(): Promise<SourceInput | null> {
    if (this.#process === null) return null;
    await this.#process.activateDisks();
    return { type: "disksActive" };
  }

  /** @param as what it is on this host from then on; null: it is not there */
  async remove(as: "moved" | null): Promise<SourceInput> {
    const { tapsRemoved } = await removeVm(this.#dependencies, this.#log, this.#vm, this.#process, as);
    this.#tapsRemoved = tapsRemoved;
    return { type: "removed" };
  }

  /** Nothing of its removal is under way any more. */
  async removed(): Promise<void> {
    await this.#tapsRemoved;
  }

  /** They are the destination's. */
  async removeDisks(): Promise<SourceInput> {
    const { environment } = this.#dependencies;
    await untilDone(
      async () => {
        await removeDeparted(await environment.datastoresOf(this.#vm), this.#vm);
      },
      "to remove the files of the VM that it has taken away",
      this.#log,
    );
    return { type: "disksRemoved" };
  }

  async releaseLease(): Promise<SourceInput> {
    await this.#dependencies.leases.releaseForSure(this.#vm);
    return { type: "released" };
  }

  /** What it is on this host after its move. */
  settle(outcome: SourceOutcome, pauseReason: PauseReason | null): void {
    const { processes } = this.#dependencies;
    if (outcome.kind === "lost") {
      const isOff = outcome.problem.code === "MOVE_GUEST_SHUT_DOWN";
      processes.remove(this.#vm.id, isOff ? "stopped" : "lost");
    } else if (outcome.kind === "stayed" && pauseReason !== null) processes.paused(this.#vm.id, pauseReason);
  }
}

/** Of a lease that could not be asked for. */
export const leaseUnknown = (problem: Parameters<typeof unknownAnswer>[0]): SourceInput => ({
  type: "leaseAnswered",
  answer: unknownAnswer(problem),
});
