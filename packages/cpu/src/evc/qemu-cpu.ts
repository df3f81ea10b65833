/**
 * A mode, or a host without one, in QEMU's words. The model is always named with its version and every addition
 * and removal by name: `host` and `max` mean another CPU on another host. Pure: what QEMU can give is an argument.
 */
import type { QemuFacts, VmCpu } from "@godwit/contract";
import type { CpuFeature } from "../features/feature.ts";
import { dependentsOf, featureNamed, features } from "../features/features.ts";
import type { Cpu } from "../cpuid/cpu.ts";
import { microcodeFeatures } from "./microcode.ts";
import { goesWith } from "../features/msr-features.ts";
import { isCommonSet, type EvcMode } from "../evc-modes/mode.ts";
import { commonSets, evcModes, evcVendorOf } from "../evc-modes/modes.ts";
import { commonFeatures, exposedFeatures } from "./exposed-features.ts";

/** A VM's `cpu` for a mode: just the mode, and the pool's microcode bits. */
export function qemuCpu(mode: EvcMode, microcode: readonly string[] = []): VmCpu {
  const { model, add, remove } = mode.cpu;
  return {
    model,
    add: [...add, ...microcode.filter((feature) => !remove.includes(feature))].sort(),
    remove: remove.filter((feature) => !microcode.includes(feature)).sort(),
  };
}

/** As QEMU's `-cpu` takes it. `enforce`: QEMU refuses to start rather than leave a feature out. */
export const cpuString = ({ model, add, remove }: VmCpu): string =>
  [model, ...add.map((name) => `+${name}`), ...remove.map((name) => `-${name}`), "enforce"].join(",");

/** QEMU's names, aliases and all, as names of the feature table; others are left out. */
export function knownFeatures(qemuNames: readonly string[]): Set<string> {
  return new Set(qemuNames.flatMap((name) => featureNamed(name)?.name ?? []));
}

/** The model that every QEMU has and nearly every host can give. */
const plainModel = "kvm64-v1";

/** What VMware shows to guests by default, and yet a VM is not given by itself: bound to the host, or dangerous. */
const withheld: ReadonlySet<string> = new Set([
  ...["vmx", "smx", "svm", ...dependentsOf("svm")],
  // Gone from later CPUs, by microcode or for good.
  ...["rtm", ...dependentsOf("rtm")],
  // Counters and traces of the host; the address width of the host.
  ...["arch-lbr", "pn", "extapic", "cr8legacy", "monitor", "ds"],
]);

/** Whether a VM may be given it where its host has it: it travels, and the next host may be expected to have it too. */
export const mayBeExposed = ({ name, mask, runtime }: CpuFeature): boolean =>
  !runtime && !withheld.has(name) && (mask === "H" || microcodeFeatures.includes(name) || name === "xfd");

/**
 * What a VM without a baseline gets: what its host has, named explicitly. The richest model of an EVC mode that
 * the host's QEMU can give, with what the host has besides, as far as it travels.
 * @param qemu what the host's QEMU can give
 * @param cpu the host's; null: not known, and nothing is added to the model
 */
export function explicitHostCpu(
  qemu: Pick<QemuFacts, "cpuModels" | "availableFeatures">,
  cpu: Cpu | null,
): VmCpu {
  const available = knownFeatures(qemu.availableFeatures);
  const onHost = (feature: string): boolean =>
    available.has(feature) && (cpu === null || cpu.features.has(feature));
  const vendor = cpu === null ? null : evcVendorOf(cpu);
  const mode = [...evcModes, ...setsWithoutModes]
    .filter((candidate) => (vendor === null ? !isCommonSet(candidate) : candidate.vendor === vendor))
    .filter((candidate) => modelGiven(candidate, qemu) && exposedFeatures(candidate).every(onHost))
    .reduce<EvcMode | null>(
      (best, candidate) =>
        best === null || candidate.features.length > best.features.length ? candidate : best,
      null,
    );
  const base = mode === null ? plainCpu(qemu) : qemuCpu(mode);
  const shown = new Set([...commonFeatures, ...(mode === null ? [] : exposedFeatures(mode))]);
  const added =
    cpu === null
      ? []
      : withParents(
          shown,
          features.filter((feature) => mayBeExposed(feature) && onHost(feature.name)),
        );
  return {
    model: base.model,
    add: [...new Set([...base.add, ...added])].sort(),
    remove: base.remove.filter((feature) => !added.includes(feature)),
  };
}

/** Of vendors that have no EVC modes. */
const setsWithoutModes = commonSets.filter(({ vendor }) => !evcModes.some((mode) => mode.vendor === vendor));

/** Whether this QEMU has the mode's model, and lacks nothing of it but what the mode takes away. */
function modelGiven({ cpu }: EvcMode, { cpuModels }: Pick<QemuFacts, "cpuModels">): boolean {
  const definition = cpuModels.find(({ name }) => name === cpu.model);
  if (definition === undefined) return false;
  const removed = new Set(cpu.remove);
  return definition.unavailableFeatures.every((name) => goesWith(removed, featureNamed(name)?.name ?? name));
}

function plainCpu({ cpuModels }: Pick<QemuFacts, "cpuModels">): VmCpu {
  const lacks = cpuModels.find(({ name }) => name === plainModel)?.unavailableFeatures ?? [];
  return { model: plainModel, add: [], remove: [...new Set(lacks)].sort() };
}

/** Those of the candidates whose parents are shown or among them; without what is shown already. */
function withParents(shown: ReadonlySet<string>, candidates: readonly CpuFeature[]): string[] {
  let added = candidates.filter(({ name }) => !shown.has(name));
  for (;;) {
    const there = new Set([...shown, ...added.map(({ name }) => name)]);
    const kept = added.filter(({ parents }) => parents.every((parent) => there.has(parent)));
    if (kept.length === added.length) return kept.map(({ name }) => name);
    added = kept;
  }
}
