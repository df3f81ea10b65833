/** What a guest has done so far, as a number that only grows while it works: operations on its disks, and packets that it sent. */
import type { QemuProcess } from "@godwit/hypervisor";
import { tapsOf } from "@godwit/network";
import { readProc } from "./proc.ts";

const limitMs = 3000;

/** @throws any error of QMP */
export async function doneByGuest({ spec: { vm }, qmp }: QemuProcess): Promise<number> {
  const blocks = await qmp.execute("query-blockstats", {}, { timeoutMs: limitMs });
  const operations = blocks.reduce(
    (sum, { stats }) => sum + stats.rd_operations + stats.wr_operations + stats.flush_operations,
    0,
  );
  const devices = readProc("self/net/dev");
  return tapsOf(vm).reduce((sum, tap) => sum + receivedBy(devices, tap), operations);
}

/** Packets that a tap received, which are those that its guest sent; third field of `/proc/net/dev`. */
export function receivedBy(devices: string, tap: string): number {
  const line = devices.split("\n").find((one) => one.trimStart().startsWith(`${tap}:`)) ?? "";
  return (
    Number(
      line
        .slice(line.indexOf(":") + 1)
        .trim()
        .split(/\s+/)[1] ?? 0,
    ) || 0
  );
}
