/**
 * What each VM's QEMU has used so far, as the kernel counts it: how long its vCPUs waited for a CPU, what it read from and wrote to storage,
 * and what its guest received and sent. Only files of /proc: no VM is asked.
 */
import { readdirSync } from "node:fs";
import type { VmId } from "@godwit/contract";
import { tapName } from "@godwit/network";
import { readProc } from "./proc.ts";

/** Null: the kernel does not tell, or the process has just ended. */
export interface VmCounters {
  readyNs: number | null;
  readBytes: number | null;
  writtenBytes: number | null;
  receivedBytes: number | null;
  sentBytes: number | null;
}

/** vCPUs come and go seldom: their threads are looked up again only after this. */
const threadsKeptMs = 60_000;
const mostNics = 64;

export class VmCounterReader {
  readonly #threads = new Map<number, { tids: string[]; atMs: number }>();

  /** @returns what reads the counters of each VM, with what all of them share read once */
  begin(pids: ReadonlySet<number>, atMs: number): (id: VmId, pid: number) => VmCounters {
    for (const pid of this.#threads.keys()) if (!pids.has(pid)) this.#threads.delete(pid);
    const devices = bytesOfDevices(textOrNull("self/net/dev") ?? "");
    return (id, pid) => ({
      readyNs: this.#readyNs(pid, atMs),
      ...storageBytes(textOrNull(`${String(pid)}/io`) ?? ""),
      ...networkBytes(id, devices),
    });
  }

  #readyNs(pid: number, atMs: number): number | null {
    const known = this.#threads.get(pid);
    const kept = known !== undefined && atMs - known.atMs < threadsKeptMs ? known : null;
    const { tids } = kept ?? { tids: vcpuThreads(pid) };
    if (kept === null) this.#threads.set(pid, { tids, atMs });
    if (tids.length === 0) return null;
    let sum = 0;
    for (const tid of tids) {
      const waited = waitedNs(textOrNull(`${String(pid)}/task/${tid}/schedstat`) ?? "");
      if (waited === null) {
        this.#threads.delete(pid);
        return null;
      }
      sum += waited;
    }
    return sum;
  }
}

/** Time on the run queue without running, the second field of `schedstat` (Documentation/scheduler/sched-stats.rst). */
export function waitedNs(schedstat: string): number | null {
  const field = schedstat.split(" ")[1];
  return field === undefined || !/^\d+$/.test(field) ? null : Number(field);
}

/** QEMU names them `CPU 0/KVM`; one thread of all where TCG has one. */
export const isVcpuThread = (comm: string): boolean => /^(CPU \d+|ALL CPUs)\//.test(comm);

/** @returns their ids; none where the process has ended */
export function vcpuThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${String(pid)}/task`).filter((tid) =>
      isVcpuThread(textOrNull(`${String(pid)}/task/${tid}/comm`) ?? ""),
    );
  } catch {
    return [];
  }
}

/** From `/proc/PID/io` of proc_pid_io(5). */
export function storageBytes(io: string): Pick<VmCounters, "readBytes" | "writtenBytes"> {
  const field = (name: string): number | null => {
    const value = new RegExp(`^${name}: (\\d+)$`, "m").exec(io)?.[1];
    return value === undefined ? null : Number(value);
  };
  return { readBytes: field("read_bytes"), writtenBytes: field("write_bytes") };
}

interface DeviceBytes {
  received: number;
  sent: number;
}

/** By the interface's name, from `/proc/net/dev`. */
export function bytesOfDevices(text: string): Map<string, DeviceBytes> {
  return new Map(
    text.split("\n").flatMap((line): [string, DeviceBytes][] => {
      const [, name, rest] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
      const fields = rest?.split(/\s+/).map(Number) ?? [];
      const [received, sent] = [fields[0], fields[8]];
      if (name === undefined || received === undefined || sent === undefined) return [];
      return Number.isNaN(received + sent) ? [] : [[name, { received, sent }]];
    }),
  );
}

/** What a tap received its guest has sent. */
export function networkBytes(
  id: VmId,
  devices: ReadonlyMap<string, DeviceBytes>,
): Pick<VmCounters, "receivedBytes" | "sentBytes"> {
  let [received, sent, count] = [0, 0, 0];
  // A NIC that was removed leaves a gap in their numbers.
  for (let number = 0; number < mostNics; number += 1) {
    const tap = devices.get(tapName(id, number));
    if (tap === undefined) continue;
    count += 1;
    received += tap.sent;
    sent += tap.received;
  }
  return count === 0
    ? { receivedBytes: null, sentBytes: null }
    : { receivedBytes: received, sentBytes: sent };
}

function textOrNull(path: string): string | null {
  try {
    return readProc(path);
  } catch {
    return null;
  }
}
