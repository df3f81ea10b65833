/**
 * What a VM's memory does: measured by its QEMU in periods of different length, since how much more is changed in a longer
 * one tells how large the set is that is written to. Short ones in a row, where QEMU can, tell a guest that works in bursts.
 * Takes as long as the periods together.
 */
import { readFileSync } from "node:fs";
import { GodwitError, type VmActivity, type VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Processes } from "../qemu/processes.ts";

const short = { ms: 250, count: 8 } as const;
const [oneMs, longMs] = [1000, 2000] as const;
const pageBytes = 4096;

/** @throws VM_NOT_RUNNING, QMP_REFUSED while another measures */
export async function readActivity(processes: Processes, id: VmId): Promise<VmActivity> {
  const process = processes.of(id);
  if (process === undefined) throw GodwitError.of("VM_NOT_RUNNING", { vm: id, state: "not on this host" });
  const shape = await shapeOf(process);
  const first =
    shape === null
      ? { seconds: oneMs / 1000, changedBytes: await process.migration.changedBytes(oneMs) }
      : { seconds: short.ms / 1000, changedBytes: meanOf(shape.changedBytes) };
  const second = { seconds: longMs / 1000, changedBytes: await process.migration.changedBytes(longMs) };
  const { pid } = process.identity;
  // The kernel makes it when it is read: at once, not by the thread pool, which storage that hangs may fill.
  const [, pages] = readFileSync(`/proc/${String(pid)}/statm`, "utf8").split(" ");
  const resident = Number(pages) * pageBytes;
  return {
    periods: [first, second],
    ...(shape === null ? {} : { shape }),
    touchedBytes: Math.min(resident, process.spec.vm.memoryMib * 2 ** 20),
  };
}

/** Null: this QEMU measures whole seconds only. */
async function shapeOf({ migration }: QemuProcess): Promise<NonNullable<VmActivity["shape"]> | null> {
  const changedBytes: number[] = [];
  const beganAtMs = performance.now();
  try {
    while (changedBytes.length < short.count) changedBytes.push(await migration.changedBytes(short.ms));
  } catch (error) {
    if (changedBytes.length === 0 && isOfOldQemu(error)) return null;
    throw error;
  }
  return { periodMs: short.ms, everyMs: (performance.now() - beganAtMs) / short.count, changedBytes };
}

const isOfOldQemu = (error: unknown): boolean =>
  GodwitError.is(error, "QMP_REFUSED") && error.message.includes("calc-time-unit");

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
