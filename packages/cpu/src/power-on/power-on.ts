/**
 * Which CPU a VM is powered on with: what its owner asks for, else the baseline of its host's pool, else what its
 * host has, named explicitly; and its masks over that. Then, from what QEMU really shows, whether it is that.
 */
import {
  finding,
  type Baseline,
  type CpuRequest,
  type Finding,
  type QemuFacts,
  type VmCpu,
} from "@godwit/contract";
import { cpuString, explicitHostCpu, qemuCpu } from "../evc/qemu-cpu.ts";
import { includesMode, modeId, type EvcMode } from "../evc-modes/mode.ts";
import { evcModeNamed } from "../evc-modes/modes.ts";
import { beyond } from "../evc/exposed-features.ts";
import { featureNamed } from "../features/features.ts";
import { goesWith, msrFeatureNamed } from "../features/msr-features.ts";
import { powerOnFindings } from "../masks/apply-masks.ts";
import { cpuWithMasks } from "../masks/described-masks.ts";
import { maskVendorOf } from "../masks/feature-mask.ts";
import { layerOf } from "../masks/mask-layer.ts";
import { parseMasks } from "../masks/masks.ts";
import { perVmEvcOf, type PerVmEvc } from "../masks/per-vm-evc.ts";
import type { Cpu } from "../cpuid/cpu.ts";

export interface PowerOnFacts {
  vm: string;
  host: string;
  request: CpuRequest | undefined;
  /** Of the pool that the host is in. */
  baseline: Baseline | null;
  qemu: QemuFacts;
  /** The host's; null: not known. */
  cpu: Cpu | null;
  /** The guest is emulated: what the host has says nothing of what it costs, and wide vectors cost most. */
  emulated: boolean;
}

/** @returns the CPU to start with; findings of severity `error` say why it must not be started */
export function powerOnCpu(facts: PowerOnFacts): { cpu: VmCpu; findings: Finding[] } {
  const { request, baseline, qemu } = facts;
  const perVm = perVmEvcIn(request);
  const own = request?.evcMode === undefined ? (perVm?.mode ?? null) : evcModeNamed(request.evcMode);
  const pools = baseline === null ? null : evcModeNamed(baseline.mode);
  const findings: Finding[] = [];
  if (own !== null && pools !== null && !includesMode(pools, own)) {
    findings.push(
      aboveBaseline(
        facts,
        pools,
        own.features.filter((name) => !pools.features.includes(name)),
      ),
    );
  }
  const mode = request?.model === undefined ? (own ?? pools) : null;
  const base = baseOf(facts, mode, perVm);
  const requested = withChanges(base, request);
  const masked =
    request?.masks === undefined || perVm !== null
      ? { cpu: requested, findings: [] }
      : cpuWithMasks(requested, request.masks, {
          ...(facts.cpu === null ? {} : { host: facts.cpu }),
          qemuVersion: qemu.version,
        });
  const cpu: VmCpu = {
    model: masked.cpu.model,
    add: masked.cpu.add,
    remove: masked.cpu.remove,
    ...(mode === null ? {} : { evcMode: modeId(mode) }),
  };
  findings.push(...masked.findings, ...masksRefuse(facts), ...notGiven(facts, cpu));
  return { cpu, findings };
}

/**
 * Whether a guest sees more than the baseline of its host's pool.
 * @param shown what QEMU shows it: names of the feature table
 */
export function aboveBaselineFindings(facts: PowerOnFacts, shown: readonly string[]): Finding[] {
  if (facts.baseline === null) return [];
  const mode = evcModeNamed(facts.baseline.mode);
  const more = beyond(shown, mode, facts.baseline.microcode);
  return more.length === 0 ? [] : [aboveBaseline(facts, mode, more)];
}

function baseOf(
  { request, baseline, qemu, cpu, emulated }: PowerOnFacts,
  mode: EvcMode | null,
  perVm: PerVmEvc | null,
): VmCpu {
  if (request?.model !== undefined) return { model: request.model, add: [], remove: [] };
  if (mode === null) return explicitHostCpu(qemu, emulated ? null : cpu);
  const pools = baseline?.microcode;
  const own = perVm?.microcode.filter((name) => pools?.includes(name) !== false);
  return qemuCpu(mode, own ?? pools ?? []);
}

/** Masks that are per-VM EVC, as vSphere writes it; a model or a mode that is asked for besides has precedence. */
function perVmEvcIn(request: CpuRequest | undefined): PerVmEvc | null {
  if (request?.masks === undefined || request.model !== undefined || request.evcMode !== undefined)
    return null;
  return perVmEvcOf(parseMasks(Object.entries(request.masks)));
}

function withChanges(base: VmCpu, request: CpuRequest | undefined): VmCpu {
  if (request === undefined) return base;
  return {
    model: base.model,
    add: union(
      base.add.filter((name) => !request.remove.includes(name)),
      request.add,
    ),
    remove: union(
      base.remove.filter((name) => !request.add.includes(name)),
      request.remove,
    ),
  };
}

/** Bits of the host that the masks want to be set or clear. */
function masksRefuse({ request, cpu }: PowerOnFacts): Finding[] {
  const vendor = cpu === null ? null : maskVendorOf(cpu.vendor);
  if (request?.masks === undefined || cpu === null || vendor === null) return [];
  const masks = parseMasks(Object.entries(request.masks));
  return powerOnFindings(layerOf(masks, vendor), masks, cpu);
}

const union = (...lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())].sort();

/** What the host's QEMU cannot give: reported before QEMU is started. */
function notGiven({ vm, host, qemu }: PowerOnFacts, cpu: VmCpu): Finding[] {
  const { version } = qemu;
  const model = qemu.cpuModels.find(({ name }) => name === cpu.model);
  // `host` and `max` are whatever QEMU makes of them.
  if (model === undefined) return [finding("DESTINATION_CPU_UNKNOWN", { host, model: cpu.model, version })];
  const nameOf = (name: string) => featureNamed(name)?.name ?? msrFeatureNamed(name)?.name ?? name;
  const available = new Set(qemu.availableFeatures.map(nameOf));
  const isNamed = (name: string) => featureNamed(name) !== undefined || msrFeatureNamed(name) !== undefined;
  const removed = new Set(cpu.remove.map(nameOf));
  const lacking = [
    ...model.unavailableFeatures.map(nameOf).filter((name) => !goesWith(removed, name)),
    ...cpu.add.map(nameOf).filter((name) => isNamed(name) && !available.has(name)),
  ];
  if (lacking.length === 0) return [];
  return [finding("VM_CPU_NOT_GIVEN", { vm, host, cpu: cpuString(cpu), version, features: union(lacking) })];
}

const aboveBaseline = ({ vm, host }: PowerOnFacts, mode: EvcMode, features: readonly string[]): Finding =>
  finding("VM_CPU_ABOVE_BASELINE", { vm, host, mode: modeId(mode), features: [...features] });
