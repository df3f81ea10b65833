/**
 * Looks after guests that have stopped by themselves. One that has switched itself off: its QEMU is ended. One that
 * stands still because its datastore is full: let run when there is room again, a few times; after that only by command.
 */
import type { VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import type { Processes } from "../qemu/processes.ts";
import { RepeatedLook } from "../repeated-look.ts";
import type { Vms } from "./vms.ts";

const everyMs = 2000;
/** Enough for what a guest writes while it finds out that there is no more; less would stop it again at once. */
export const roomBytes = 16 * 1024 * 1024;

/** What is known of a VM that was let run. */
export interface Attempts {
  count: number;
  lastAtMs: number;
}

const mostAttempts = 8;
/** A guest that has run for so long has got on. */
const goodAfterMs = 60_000;
const firstWaitMs = 2000;

/** Whether a guest that stands still for want of space is let run now. Pure. */
export function mayTryAgain(attempts: Attempts | null, freeBytes: number, nowMs: number): boolean {
  if (freeBytes < roomBytes) return false;
  if (attempts === null) return true;
  if (attempts.count >= mostAttempts) return false;
  return nowMs - attempts.lastAtMs >= firstWaitMs * 2 ** attempts.count;
}

export interface GuestWatchParts {
  vms: Pick<Vms, "tryResume" | "endShutDown">;
  processes: Pick<Processes, "present" | "pauseReasonOf">;
  /** Of the file system with the least space that the VM's disks are on. @throws when it cannot be looked at */
  freeBytes: (process: QemuProcess) => Promise<number>;
  log: Logger;
}

export class GuestWatch {
  readonly #parts: GuestWatchParts;
  readonly #attempts = new Map<VmId, Attempts>();

  constructor(parts: GuestWatchParts) {
    this.#parts = parts;
  }

  /** A guest's stop is an event, but no datastore tells when it has room again, nor when an end that failed may succeed. */
  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.look(),
      (error) => {
        this.#parts.log.warn({ err: error }, "guests that stand still could not be looked after");
      },
    );
  }

  async look(): Promise<void> {
    const { processes, log } = this.#parts;
    const present = processes.present;
    for (const vmId of this.#attempts.keys())
      if (!present.some((process) => process.vmId === vmId)) this.#attempts.delete(vmId);
    for (const process of present) {
      try {
        await this.#lookAt(process);
      } catch (error) {
        log.warn(
          { err: error, vm: process.spec.vm.name },
          "a guest that stands still could not be looked after",
        );
      }
    }
  }

  async #lookAt(process: QemuProcess): Promise<void> {
    const { vms, processes, freeBytes, log } = this.#parts;
    const reason = processes.pauseReasonOf(process.vmId);
    const nowMs = performance.now();
    const before = this.#attempts.get(process.vmId) ?? null;
    if (reason === "shutdown") {
      await vms.endShutDown(process);
      return;
    }
    if (reason !== "no-space") {
      if (before !== null && nowMs - before.lastAtMs >= goodAfterMs) this.#attempts.delete(process.vmId);
      return;
    }
    const free = await freeBytes(process);
    if (!mayTryAgain(before, free, nowMs)) return;
    if (!(await vms.tryResume(process))) return;
    this.#attempts.set(process.vmId, { count: (before?.count ?? 0) + 1, lastAtMs: nowMs });
    log.info({ vm: process.spec.vm.name, freeBytes: free }, "there is room again: the guest goes on");
  }
}
