/**
 * What the destination does with the VM that comes, beside the copy: make it ready, take over its disks, remove it, give its lease
 * back. Each answers with the input that its outcome is for the reducer.
 */
import { arrivingVm, type MoveOrder, type Vm } from "@godwit/contract";
import { withdrawDisks, type QemuProcess } from "@godwit/hypervisor";
import type { DestinationInput, DestinationOutcome, Listening } from "@godwit/migration";
import { describeArrived, endArrival, removeArrived, type Datastore } from "@godwit/storage";
import type { Logger } from "pino";
import { reasonOf } from "../reason.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { prepareIncoming } from "./incoming-vm.ts";
import { askLease } from "./lease-questions.ts";
import { untilDone } from "./until-done.ts";
import { removeVm } from "./vm-removal.ts";

export class DestinationVm {
  readonly #order: MoveOrder;
  /** As it is described here. */
  readonly #vm: Vm;
  readonly #dependencies: MoveDependencies;
  readonly #log: Logger;
  /** Files of the VM may have been made here by this move. */
  #hasFiles: boolean;
  #preparing: Promise<unknown> = Promise.resolve();
  #tapsRemoved: Promise<void> = Promise.resolve();

  /** @param hasFiles whether an earlier agent may have made files of it here */
  constructor(order: MoveOrder, hasFiles: boolean, dependencies: MoveDependencies, log: Logger) {
    this.#order = order;
    this.#vm = arrivingVm(order);
    this.#hasFiles = hasFiles;
    this.#dependencies = dependencies;
    this.#log = log;
  }

  /** @throws as {@link prepareIncoming} */
  async prepare(onStarted: (process: QemuProcess) => void): Promise<Listening> {
    const preparation = prepareIncoming(this.#dependencies, this.#order, {
      onStarted,
      onDisks: () => {
        this.#hasFiles = true;
      },
    });
    this.#preparing = preparation.catch(() => undefined);
    return await preparation;
  }

  /**
   * The disks that came with the VM, and its TPM's state, are its own from now on, and nobody else writes to them.
   * @returns why that is not so; null: it is
   */
  async takeOver(process: QemuProcess): Promise<string | null> {
    try {
      await process.takeTpm();
      if (this.#order.storage === undefined) return null;
      await withdrawDisks(process);
      await this.#describe();
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async askExclusiveLease(): Promise<DestinationInput> {
    const { leases, config } = this.#dependencies;
    const answer = await askLease(leases, config.name, this.#vm, "exclusive");
    if (answer.kind === "notHeld") this.#log.error("this host's share of the VM's lease was taken away");
    return { type: "leaseAnswered", answer };
  }

  async releaseLease(): Promise<DestinationInput> {
    await this.#dependencies.leases.releaseForSure(this.#vm);
    return { type: "released" };
  }

  /**
   * @param processNow asked once nothing of its preparation is under way any more
   * @param as what became of it here
   */
  async remove(processNow: () => QemuProcess | null, as: "moved" | "lost"): Promise<DestinationInput> {
    await this.#preparing;
    const { tapsRemoved } = await removeVm(this.#dependencies, this.#log, this.#vm, processNow(), as);
    this.#tapsRemoved = tapsRemoved;
    // Before anybody hears of it: from here it is started again.
    if (as === "lost" && this.#order.storage !== undefined)
      await untilDone(() => this.#describe(), "to describe the VM whose disks it has brought", this.#log);
    return { type: "removed" };
  }

  async removeDisks(): Promise<DestinationInput> {
    const remove = async () => {
      await removeArrived(await this.#datastore(), { move: this.#order.id, vm: this.#vm });
    };
    if (this.#hasFiles) await untilDone(remove, "to remove what it has made of the VM's files", this.#log);
    return { type: "disksRemoved" };
  }

  /** Nothing of the move is under way here any more. */
  async settle(outcome: DestinationOutcome): Promise<void> {
    await this.#tapsRemoved;
    if (this.#order.storage !== undefined && outcome.kind !== "gaveUp") await this.#endArrival();
  }

  async #describe(): Promise<void> {
    await describeArrived(await this.#datastore(), { move: this.#order.id, vm: this.#vm });
  }

  /** A mark that stays does no harm: it goes with the VM. */
  async #endArrival(): Promise<void> {
    try {
      await endArrival(await this.#datastore(), { move: this.#order.id, vm: this.#vm });
    } catch (error) {
      this.#log.warn({ err: error }, "the mark of the move was not removed from the VM's folder");
    }
  }

  async #datastore(): Promise<Datastore> {
    return await this.#dependencies.environment.datastore(this.#vm.datastore);
  }
}
