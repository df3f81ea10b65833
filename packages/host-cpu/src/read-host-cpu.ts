/**
 * The CPU of the machine that this runs on, from the best source that answers: the kernel's CPUID device, then
 * QEMU, then /proc/cpuinfo. Which it was, and what it cannot tell, stands in the source's label and notes.
 */
import { readFile } from "node:fs/promises";
import { GodwitError, type QemuFacts } from "@godwit/contract";
import { readCpuSource, type CpuSource } from "@godwit/cpu";
import { hasDevice, loadModules, readDevices } from "./devices.ts";
import { sourceOfQemu } from "./qemu-source.ts";

export interface HostCpuOptions {
  /** What people call the machine; default: `this machine`. */
  readonly machine?: string;
  /** Asks QEMU; null where there is none. Called only where the device does not answer. */
  readonly qemu?: () => Promise<QemuFacts | null>;
  /** Default: `/dev/cpu`. */
  readonly deviceFolder?: string;
  /** Default: `/proc/cpuinfo`. */
  readonly cpuinfo?: string;
}

/** @throws CPU_UNREADABLE when no source tells anything of an x86 CPU */
export async function readHostCpu(options: HostCpuOptions = {}): Promise<CpuSource> {
  const { machine = "this machine", deviceFolder = "/dev/cpu", cpuinfo = "/proc/cpuinfo" } = options;
  if (process.getuid?.() === 0 && deviceFolder === "/dev/cpu") {
    if (!(await hasDevice(deviceFolder, "cpuid")) || !(await hasDevice(deviceFolder, "msr")))
      await loadModules();
  }
  const { cpus, problems } = await readDevices(deviceFolder);
  const notes = problems.map((problem) => `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`);
  if (cpus.length > 0) {
    return {
      format: "cpuid-device",
      label: `${deviceFolder}/N/cpuid of ${machine}`,
      cpus,
      named: null,
      notes,
    };
  }
  const linux = await linuxSource(cpuinfo, machine);
  const qemu = (await options.qemu?.()) ?? null;
  if (qemu !== null) return sourceOfQemu(qemu, linux, machine, notes);
  if (linux === null) {
    throw GodwitError.of("CPU_UNREADABLE", {
      machine,
      reasons: [...problems, `${cpuinfo} tells of no x86 CPU`],
    });
  }
  return { ...linux, notes: [...notes, ...linux.notes] };
}

async function linuxSource(path: string, machine: string): Promise<CpuSource | null> {
  try {
    return readCpuSource(await readFile(path, "utf8"), `/proc/cpuinfo of ${machine}`);
  } catch {
    return null;
  }
}
