/**
 * Refusals about CPUs of hosts and VMs. Each names the VM, both hosts and, feature by feature, the CPUID level
 * and register, since people who know vSphere look for these; `vsphereFault` is the name that they know.
 */
import { define } from "./define.ts";

/** A feature that a refusal is about; in its words for people, since the catalogue knows no feature table. */
export interface RefusedFeature {
  /** QEMU's property name. */
  feature: string;
  /** As vSphere writes it; null: it is no bit of CPUID that Godwit has a name for. */
  place: { level: string; register: string; bit: number } | null;
  /** Why it is probably not there, and what to do about it: a sentence each. */
  cause: string;
  remedy: string;
}

export const cpuErrors = {
  DESTINATION_CPU_UNKNOWN: define<{ host: string; model: string; version: string }>(
    409,
    "after-fix",
    (d) => `QEMU ${d.version} on host ${d.host} does not know the CPU model ${d.model}.`,
    (d) => `Upgrade QEMU on ${d.host}, or give the VM a CPU model that both know.`,
    "CpuIncompatible",
  ),
  DESTINATION_CPU_LACKS: define<{
    vm: string;
    /** Where it runs; null: it does not run. */
    from: string | null;
    host: string;
    model: string;
    /** The names of what is lacking, sorted; more of each in `lacking`. */
    features: string[];
    lacking: RefusedFeature[];
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot ${d.from === null ? `run on ${d.host}` : `go from ${d.from} to ${d.host}`}: ${d.host} cannot give what the VM's CPU ${d.model} has ${places(d.lacking)}.`,
    (d) =>
      `${reasons(d.lacking)} Otherwise choose a host that has them, or power the VM off and start it with an EVC mode that both hosts satisfy.`,
    (d) => faultOf(d.lacking),
  ),
  DESTINATION_CPU_VENDOR_DIFFERS: define<{
    vm: string;
    from: string;
    host: string;
    vendor: string;
    hostVendor: string;
  }>(
    409,
    "never",
    (d) =>
      `VM ${d.vm} cannot go from ${d.from} to ${d.host}: it runs on a CPU of ${d.vendor} (CPUID level 0x0, registers ebx, edx and ecx), and ${d.host} has one of ${d.hostVendor}.`,
    (d) => `Choose a host with a CPU of ${d.vendor}, or power the VM off and start it on ${d.host}.`,
    "CpuIncompatible",
  ),
  DESTINATION_CPU_UNDETERMINED: define<{ vm: string; from: string; host: string; what: string }>(
    409,
    "after-fix",
    (d) =>
      `Whether VM ${d.vm} can go from ${d.from} to ${d.host} is not known: host ${d.host} does not report ${d.what}.`,
    (d) =>
      `Load the kernel module cpuid there (modprobe cpuid), or bring the agent on ${d.host} up to date; godwit cpu report --host ${d.host} shows what it can read.`,
    "CpuCompatibilityUnknown",
  ),
  DESTINATION_CPU_SHOWS_MORE: define<{
    vm: string;
    from: string;
    host: string;
    model: string;
    features: RefusedFeature[];
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot go from ${d.from} to ${d.host}: its CPU model ${d.model} follows the host, so that programs in it would see appear ${places(d.features)}.`,
    (d) =>
      `Power the VM off and give it a CPU model with a name, or an EVC mode that ${d.from} and ${d.host} both satisfy.`,
    (d) => faultOf(d.features),
  ),
  CPU_HIDDEN_FEATURES_DIFFER: define<{
    vm: string;
    from: string;
    host: string;
    model: string;
    features: RefusedFeature[];
  }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} cannot execute what ${d.from} can and the CPU ${d.model} of VM ${d.vm} does not show: ${places(d.features)}. A program that uses it without asking CPUID would fail after the move.`,
    (d) =>
      `Programs that ask CPUID are safe, which is nearly all of them. To be sure put ${d.from} and ${d.host} into pools of hosts that are alike; vSphere would refuse this move without EVC.`,
    (d) => faultOf(d.features),
  ),
} as const;

/** `at CPUID level 0x1, register ecx: sse4.1 (bit 19), sse4.2 (bit 20); at …`, in the order given. */
export function places(features: readonly RefusedFeature[]): string {
  const groups = Map.groupBy(features, ({ place }) =>
    place === null ? "outside CPUID" : `at CPUID level ${place.level}, register ${place.register}`,
  );
  const nameOf = ({ feature, place }: RefusedFeature) =>
    place === null ? feature : `${feature} (bit ${String(place.bit)})`;
  return [...groups].map(([where, group]) => `${where}: ${group.map(nameOf).join(", ")}`).join("; ");
}

/** Each remedy once, after the cause that it is for; the further features that it helps with follow by name. */
export function reasons(features: readonly RefusedFeature[]): string {
  return [...Map.groupBy(features, ({ remedy }) => remedy)]
    .map(([remedy, [first, ...others]]) =>
      [
        first?.cause,
        ...(others.length > 0
          ? [`The same holds for ${others.map(({ feature }) => feature).join(", ")}.`]
          : []),
        remedy,
      ].join(" "),
    )
    .join(" ");
}

/** vSphere has faults of their own for two registers, which its users know by sight. */
function faultOf(features: readonly RefusedFeature[]): string {
  const all = (level: string, register: string) =>
    features.every(({ place }) => place?.level === level && place.register === register);
  if (all("0x1", "ecx")) return "CpuIncompatible1ECX";
  return all("0x80000001", "edx") ? "CpuIncompatible81EDX" : "FeatureRequirementsNotMet";
}
