/**
 * Where a VM really runs, asked of the machine and never of Godwit: the process table says which QEMUs
 * there are in which host's namespace, and each says itself, on its second QMP socket, whether it runs.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { QmpSession } from "@godwit/qmp";
import { identifyProcess, until } from "@godwit/system";
import type { Lab } from "./lab.ts";
import { processesIn } from "./switch.ts";

export interface Runner {
  host: string;
  pid: number;
  vmId: string;
  /** Whether its vCPUs run. */
  running: boolean;
}

/** Every QEMU process of the lab, whether its vCPUs run or not. */
export async function qemuProcessesOf(lab: Lab): Promise<Omit<Runner, "running">[]> {
  const all = await Promise.all(lab.hosts.map(({ name }) => qemusOn(lab, name)));
  return all.flat();
}

/** Every QEMU of the lab. */
export async function qemusOf(lab: Lab): Promise<Runner[]> {
  const processes = await qemuProcessesOf(lab);
  return await Promise.all(
    processes.map(async (one) => ({
      ...one,
      running: await isRunning(one.pid, rescueSocket(lab, one.host, one.vmId)),
    })),
  );
}

/** Hosts on which the VM's vCPUs run. */
export async function runnersOf(lab: Lab, vmId: string): Promise<string[]> {
  const qemus = await qemusOf(lab);
  return qemus.filter((qemu) => qemu.vmId === vmId && qemu.running).map(({ host }) => host);
}

/** Where a VM's QEMU on a host answers others than its agent: one at a time. */
export const rescueSocket = (lab: Lab, host: string, vmId: string): string =>
  join(lab.host(host).folder, "run/godwit/vms", vmId, "rescue.sock");

async function qemusOn(lab: Lab, host: string): Promise<Omit<Runner, "running">[]> {
  const found: Omit<Runner, "running">[] = [];
  for (const pid of await processesIn(lab.namespace(host))) {
    const words = (await readFile(`/proc/${String(pid)}/cmdline`, "utf8").catch(() => "")).split("\0");
    // An agent that asks QEMU what it can do runs one without a VM.
    const at = words.indexOf("-uuid");
    const vmId = words[at + 1];
    if (!(words[0] ?? "").includes("qemu-system") || at === -1 || vmId === undefined) continue;
    found.push({ host, pid, vmId });
  }
  return found;
}

/** An emulated guest's QEMU on a busy machine takes its time: it counts as one that does not run only when it is silent for long. */
const silentMs = 20_000;

async function isRunning(pid: number, socket: string): Promise<boolean> {
  const session = await QmpSession.connect(socket, { timeoutMs: silentMs }).catch(() => null);
  if (session === null) return false;
  try {
    return (await session.execute("query-status", {}, { timeoutMs: silentMs })).running;
  } catch (error) {
    // One that ends just now, as a move's source does, says nothing more.
    const isGone = async () => (await identifyProcess(pid)) === null;
    if ((await until(isGone, { everyMs: 20, limitMs: 5000 })) === null) throw error;
    return false;
  } finally {
    session.close();
  }
}
