/** Where the source's half of a move stands at its begin, and where an earlier agent has left it: by what QEMU says now. */
import {
  GodwitError,
  helloText,
  keepsPaused,
  type Hello,
  type MoveOrder,
  type Problem,
} from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  initialSource,
  isCancellable,
  orderFor,
  restoreSource,
  type SourceEffect,
  type SourceEntry,
  type SourceState,
} from "@godwit/migration";
import type { MoveDependencies } from "./dependencies.ts";
import type { Step } from "./reducer-runner.ts";
import { mustHaveSettledMemory } from "../vms/devices/settle-memory.ts";
import { mustBeOrdered } from "../qemu/memory-order.ts";
import { postcopyOf } from "./source-copy.ts";

/** @throws VM_NOT_RUNNING, VM_BUSY, VM_MEMORY_ORDER */
export async function beginningState(
  order: MoveOrder,
  process: QemuProcess,
  { processes, hypervisor, log }: MoveDependencies,
): Promise<SourceState> {
  mustHaveSettledMemory(process.spec.vm);
  await mustBeOrdered(process);
  const [{ status, runs, pauseReason }, version, { version: installed }] = await Promise.all([
    process.guestState(),
    process.version(),
    hypervisor.facts(),
  ]);
  if (pauseReason === "shutdown")
    throw GodwitError.of("VM_NOT_RUNNING", { vm: order.vm.name, state: "shutting down" });
  // What QEMU does not tell after a move that was undone, this agent knows.
  const known = pauseReason ?? processes.pauseReasonOf(process.vmId) ?? "user";
  log.info({ vm: order.vm.name, status }, "the guest's state before its move");
  return initialSource(orderFor(order, version, installed), version, runs ? null : known);
}

/** @param process null where QEMU is gone. @returns the step, and the copy's status in QEMU's words */
export async function restoredStep(
  entries: readonly SourceEntry[],
  process: QemuProcess | null,
): Promise<{ step: Step<SourceState, SourceEffect>; copyStatus: string }> {
  const qemuVersion = (await process?.version()) ?? "unknown";
  const guest = process === null ? null : await process.guestState();
  // Last: from here on its events tell.
  const migration = process === null ? null : await process.migration.query();
  const step = restoreSource(entries, {
    qemuVersion,
    qemuAlive: process !== null,
    guestRuns: guest?.runs === true,
    pauseReason: guest?.runs === true ? null : (guest?.pauseReason ?? null),
    copyCompleted: migration?.status === "completed",
    copyFailed: ["failed", "cancelled", "cancelling"].includes(migration?.status ?? ""),
    postcopy: migration === null ? null : postcopyOf(migration.status),
  });
  return { step, copyStatus: migration?.status ?? "none" };
}

/** Why a guest that stands still does not go to this peer, whose version would let it run; null: it may go on. */
export function resumedThere(order: MoveOrder, state: SourceState, peer: Hello | null): Problem | null {
  const { pauseReason } = state;
  if (pauseReason === null || pauseReason === "shutdown" || peer === null) return null;
  if (keepsPaused(peer.protocol.newest) || !isCancellable(state)) return null;
  const details = { vm: order.vm.name, host: order.to.host, version: helloText(peer), reason: pauseReason };
  return GodwitError.of("DESTINATION_RESUMES_PAUSED", details).problem;
}
