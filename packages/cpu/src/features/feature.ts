/**
 * One bit of CPUID with a name. Names are QEMU's property names where QEMU has one, else VMware's in lower
 * case with hyphens. Sources: QEMU's and libvirt's feature maps, VMware's published CPUID field list (names,
 * default masks, which bits unprivileged code can use), Intel SDM volume 2 and AMD APM volume 3.
 */
import type { Register } from "../cpuid/leaves.ts";
import { oldestQemu } from "./qemu-version.ts";

export interface CpuFeature {
  readonly name: string;
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
  readonly bit: number;
  /** `user`: unprivileged code can use it without asking anyone, so that hiding it from a running guest is not enough. */
  readonly level: "user" | "kernel";
  /** The first QEMU version of the supported ones that knows it by this name; null: none does. */
  readonly qemuSince: string | null;
  /** VMware's name, as in `cpuid.SSE3`; null where VMware's list has none. */
  readonly vmware: string | null;
  /** VMware's default for a host's mask: shown as the host has it (H), not compared (X), never shown (0). */
  readonly mask: "H" | "X" | "0" | null;
  /** Features without which this one must not be shown. */
  readonly parents: readonly string[];
  /** Came with microcode and kernel updates to CPUs that were sold without it. */
  readonly microcode: boolean;
  /** Tells what an operating system switched on, not what the CPU can do: never compared. */
  readonly runtime: boolean;
  /** A CPU that has the named feature has this one too: QEMU derives it, and has no name for it. */
  readonly impliedBy: string | null;
}

interface FeatureRow {
  bit: number;
  name: string;
  level: CpuFeature["level"];
  /** Default: every supported version. */
  qemuSince?: string | null;
  vmware?: string;
  mask?: CpuFeature["mask"];
  parents?: readonly string[];
  microcode?: boolean;
  runtime?: boolean;
  impliedBy?: string;
}

/** The named bits of one register. */
export function register(
  leaf: number,
  subleaf: number,
  name: Register,
  rows: readonly FeatureRow[],
): CpuFeature[] {
  return rows.map((row) => ({
    name: row.name,
    leaf,
    subleaf,
    register: name,
    bit: row.bit,
    level: row.level,
    qemuSince: row.qemuSince === undefined ? oldestQemu : row.qemuSince,
    vmware: row.vmware ?? null,
    mask: row.mask ?? null,
    parents: row.parents ?? [],
    microcode: row.microcode ?? false,
    runtime: row.runtime ?? false,
    impliedBy: row.impliedBy ?? null,
  }));
}
