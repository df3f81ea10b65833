/** CPU features as a host's QEMU offers them, and what a refusal says of one that it does not. */
import type { HostFacts, QemuFacts, RefusedFeature, Vm } from "@godwit/contract";
import {
  cpuOf,
  featureNamed,
  has,
  likelyCause,
  msrFeatureNamed,
  msrPlaceOf,
  whyQemuLacks,
  type CpuFeature,
  type MsrFeature,
} from "@godwit/cpu";

/** Models that mean another CPU on every host. */
export const followsHost = ({ cpu }: Pick<Vm, "cpu">): boolean => cpu.model === "host" || cpu.model === "max";

/** The feature table's name of a QEMU property or of an alias; a property that the table lacks keeps its own. */
export const nameOf = (property: string): string =>
  featureNamed(property)?.name ?? msrFeatureNamed(property)?.name ?? property;

/** They follow from how many vCPUs a VM has; QEMU tells them of a VM with one. */
const byTopology = new Set(["ht", "cmp-legacy", "topoext"]);

type Offers = (name: string) => boolean;

/** Of reports that are judged more than once: a host is, for every VM. */
const known = new WeakMap<QemuFacts, Offers>();

/** Whether QEMU can show a feature, itself or because it derives it from another that it can. */
export function offers(qemu: QemuFacts): Offers {
  const before = known.get(qemu) ?? offersOf(qemu);
  known.set(qemu, before);
  return before;
}

function offersOf({ availableFeatures }: QemuFacts): Offers {
  const available = new Set(availableFeatures.map(nameOf));
  const offered = (name: string): boolean => {
    const feature = featureNamed(name);
    if (available.has(name) || byTopology.has(name) || feature?.runtime === true) return true;
    return typeof feature?.impliedBy === "string" && offered(feature.impliedBy);
  };
  return offered;
}

/** A feature that the host does not offer, with its place in CPUID, why probably, and what to do. */
export function refusedFeature(name: string, host: HostFacts): RefusedFeature {
  const feature = featureNamed(name);
  const inRegister = msrFeatureNamed(name);
  if (inRegister !== undefined) return refusedMsrFeature(inRegister, host);
  if (feature === undefined) {
    return {
      feature: name,
      place: null,
      cause: `QEMU ${host.qemu.version} on ${host.name} does not offer it.`,
      remedy: "Compare the versions of QEMU and of the kernel on both hosts.",
    };
  }
  const { register, bit } = feature;
  const { cause, remedy } = whyNotOffered(feature, host);
  return { feature: name, place: { level: levelOf(feature), register, bit }, cause, remedy };
}

/** CPUID tells nothing of it, so the hardware is asked by its report, where that has the register's bits. */
function refusedMsrFeature(feature: MsrFeature, { qemu, name: host, cpu }: HostFacts): RefusedFeature {
  const { name, parent } = feature;
  const known = cpu.report?.msrFeatures;
  const isThere = known?.has.includes(name) === true;
  const isAbsent = known?.lacks.includes(name) === true;
  const offers = `QEMU ${qemu.version} on ${host} does not offer it (${msrPlaceOf(feature)})`;
  const cause = isThere
    ? `${offers}, though the hardware has it.`
    : isAbsent
      ? `${offers}: the CPU or its microcode does not have it.`
      : `${offers}.`;
  const remedy =
    parent === "vmx"
      ? "It concerns only VMs that run VMs themselves: start this VM without vmx, or compare kernel and module parameters of kvm_intel on both hosts."
      : isThere
        ? "Compare the versions of QEMU and of the kernel on both hosts."
        : `Update firmware, microcode and kernel of ${host}, or start this VM without ${name}.`;
  return { feature: name, place: null, cause, remedy };
}

function whyNotOffered(feature: CpuFeature, host: HostFacts): { cause: string; remedy: string } {
  const { qemu, name } = host;
  if (host.cpu.report === null) {
    return {
      cause: `Whether the hardware of ${name} has ${feature.name} is not known; its QEMU ${qemu.version} does not offer it.`,
      remedy: `See what it has: godwit cpu report --host ${name}`,
    };
  }
  const hardware = cpuOf(host.cpu.report, name);
  if (has(hardware, feature.name) !== true) return likelyCause(feature, null, hardware);
  if (qemu.accelerator === "tcg") {
    return {
      cause: `QEMU ${qemu.version} on ${name} emulates CPUs, and cannot emulate ${feature.name}.`,
      remedy: "Upgrade QEMU there, or make KVM work.",
    };
  }
  return whyQemuLacks(feature, hardware, qemu.version);
}

/** As vSphere writes it. */
const levelOf = ({ leaf, subleaf }: CpuFeature): string =>
  `0x${leaf.toString(16)}${subleaf === 0 ? "" : `, sub-leaf ${String(subleaf)}`}`;
