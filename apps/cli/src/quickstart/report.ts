/** What the quickstart found, as data for other programs and as text for people. Pure. */
import type { LoadReport } from "@godwit/lab";
import type { HostView, MoveRecord } from "@godwit/contract";
import { formatBytes, formatMs, formatTable } from "../output/format.ts";

export interface QuickstartMove {
  vm: string;
  from: string;
  to: string;
  strategy: MoveRecord["strategy"];
  /** The longest time without an answer that a client saw during the move, ms. */
  outageMs: number;
  /** From the source's vCPUs stopping to the destination's running, ms. */
  stopToContMs: number | null;
  qemuDowntimeMs: number | null;
  /** From the request to the finished task, ms. */
  totalMs: number;
  bytes: number;
  rounds: number;
  encrypted: boolean;
}

export interface QuickstartReport {
  version: 1;
  hosts: { name: string; qemu: string; accelerator: string }[];
  moves: QuickstartMove[];
  client: {
    connections: number;
    reconnects: number;
    acknowledged: number;
    lost: number;
    duplicated: number;
    longestGapMs: number;
  };
  finallyRunningOn: string[];
}

export function reportOf(
  hosts: readonly HostView[],
  moves: readonly { record: MoveRecord; totalMs: number }[],
  load: LoadReport,
  finallyRunningOn: string[],
): QuickstartReport {
  return {
    version: 1,
    hosts: hosts.map(({ name, facts }) => ({
      name,
      qemu: facts?.qemu.version ?? "unknown",
      accelerator: facts?.qemu.accelerator ?? "unknown",
    })),
    moves: moves.map(({ record, totalMs }, index) => ({
      vm: record.vm.name,
      from: record.from,
      to: record.to,
      strategy: record.strategy,
      outageMs: round(load.windows[index]?.outageMs ?? 0),
      stopToContMs: record.stopToContMs,
      qemuDowntimeMs: record.qemuDowntimeMs,
      totalMs: round(totalMs),
      bytes: record.bytes,
      rounds: record.rounds,
      encrypted: record.encrypted,
    })),
    client: {
      connections: load.connections,
      reconnects: load.reconnects,
      acknowledged: load.acknowledged,
      lost: load.lost,
      duplicated: load.duplicated,
      longestGapMs: round(load.longestGapMs),
    },
    finallyRunningOn,
  };
}

export function reportText({ hosts, moves, client, finallyRunningOn }: QuickstartReport): string {
  const emulated = hosts.every(({ accelerator }) => accelerator === "tcg");
  return [
    "",
    formatTable([
      ["MOVE", "OUTAGE", "VCPUS STOPPED", "QEMU SAYS", "TOTAL", "SENT", "ROUNDS", "ENCRYPTED"],
      ...moves.map((move) => [
        `${move.vm}: ${move.from} → ${move.to}`,
        formatMs(move.outageMs),
        formatMs(move.stopToContMs),
        formatMs(move.qemuDowntimeMs),
        formatMs(move.totalMs),
        formatBytes(move.bytes),
        String(move.rounds),
        move.encrypted ? "yes" : "no",
      ]),
    ]),
    "",
    `The client wrote all the while over ${client.connections === 1 ? "one connection" : `${String(client.connections)} connections`}:`,
    `  ${String(client.acknowledged)} acknowledged writes, ${String(client.lost)} lost, ${String(client.duplicated)} duplicated, ${String(client.reconnects)} reconnects`,
    `  longest wait for an acknowledgement: ${formatMs(client.longestGapMs)}`,
    `The VM runs on ${finallyRunningOn.join(" and ") || "no host"}.`,
    ...(emulated
      ? ["(KVM does not work on this machine: the guest was emulated, which makes everything slower.)"]
      : []),
  ].join("\n");
}

const round = (value: number): number => Math.round(value * 100) / 100;
