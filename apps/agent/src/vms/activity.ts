/**
 * What a VM's memory does: measured by its QEMU in periods of different length, since how much more is changed in a longer
 * one tells how large the set is that is written to. Takes as long as the periods together.
 */
import { readFileSync } from "node:fs";
import { GodwitError, type VmActivity, type VmId } from "@godwit/contract";
import type { Processes } from "../qemu/processes.ts";

const periods = [1, 2] as const;
const pageBytes = 4096;

/** @throws VM_NOT_RUNNING, QMP_REFUSED while another measures */
export async function readActivity(processes: Processes, id: VmId): Promise<VmActivity> {
  const process = processes.of(id);
  if (process === undefined) throw GodwitError.of("VM_NOT_RUNNING", { vm: id, state: "not on this host" });
  const measured: VmActivity["periods"] = [];
  for (const seconds of periods)
    measured.push({ seconds, changedBytes: await process.migration.changedBytes(seconds) });
  const { pid } = process.identity;
  // The kernel makes it when it is read: at once, not by the thread pool, which storage that hangs may fill.
  const [, pages] = readFileSync(`/proc/${String(pid)}/statm`, "utf8").split(" ");
  const resident = Number(pages) * pageBytes;
  return { periods: measured, touchedBytes: Math.min(resident, process.spec.vm.memoryMib * 2 ** 20) };
}
