/** What becomes of a pool's baseline, and of the VMs that run in it, when a host goes or comes. */
import { has, type Cpu } from "../cpuid/cpu.ts";
import { baselineOf, type CpuBaseline } from "./baseline.ts";
import { includesMode } from "../evc-modes/mode.ts";
import { beyond, distinguishesCpus } from "./exposed-features.ts";

/** A VM with all that its guest may see. */
export interface VmWithFeatures {
  readonly name: string;
  readonly features: readonly string[];
}

export interface WhatIf {
  readonly before: CpuBaseline;
  readonly after: CpuBaseline;
  /** `other`: another mode that is neither higher nor lower. */
  readonly change: "same" | "raised" | "lowered" | "other" | "gained" | "lost";
  /** Only those that the change touches. */
  readonly vms: readonly AffectedVm[];
}

export interface AffectedVm {
  readonly name: string;
  /** No host that is left has all its features: once powered off it could not start as it is. */
  readonly cannotStart: boolean;
  /** Hosts of the changed pool that it could not move to. */
  readonly cannotMoveTo: readonly string[];
  /** What it sees beyond the new baseline: it would have to be powered off for it. */
  readonly beyond: readonly string[];
}

export const withoutHost = (
  cpus: readonly Cpu[],
  label: string,
  vms: readonly VmWithFeatures[] = [],
): WhatIf =>
  whatIf(
    cpus,
    cpus.filter((cpu) => cpu.label !== label),
    vms,
  );

export const withCpu = (cpus: readonly Cpu[], cpu: Cpu, vms: readonly VmWithFeatures[] = []): WhatIf =>
  whatIf(cpus, [...cpus, cpu], vms);

/**
 * @param cpus of the pool as it is
 * @param others of the pool as it would be
 */
export function whatIf(cpus: readonly Cpu[], others: readonly Cpu[], vms: readonly VmWithFeatures[]): WhatIf {
  const before = baselineOf(cpus);
  const after = baselineOf(others);
  return {
    before,
    after,
    change: changeOf(before, after),
    vms: vms
      .map((vm) => touched(vm, others, after))
      .filter((vm) => vm.cannotStart || vm.cannotMoveTo.length > 0 || vm.beyond.length > 0),
  };
}

function changeOf({ mode: before }: CpuBaseline, { mode: after }: CpuBaseline): WhatIf["change"] {
  if (before === after) return "same";
  if (before === null) return "gained";
  if (after === null) return "lost";
  if (includesMode(after, before)) return "raised";
  return includesMode(before, after) ? "lowered" : "other";
}

function touched(
  { name, features }: VmWithFeatures,
  cpus: readonly Cpu[],
  { mode, microcode }: CpuBaseline,
): AffectedVm {
  const telling = features.filter(distinguishesCpus);
  const lacking = cpus.filter((cpu) => telling.some((feature) => has(cpu, feature) !== true));
  return {
    name,
    cannotStart: lacking.length === cpus.length,
    cannotMoveTo: lacking.map(({ label }) => label).sort(),
    beyond: mode === null ? [] : beyond(features, mode, microcode),
  };
}
