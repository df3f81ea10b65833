/**
 * Errors about EVC modes and pools, and findings that keep a host or a mode out of a pool. vSphere has a fault of
 * its own for nearly each of them, and another for the same reason when a mode is set rather than a host added.
 */
import { theBaseline } from "./baseline-name.ts";
import { places, reasons, type RefusedFeature } from "./cpu.ts";
import { define } from "./define.ts";

/** A host that is to be in a pool with an EVC mode. */
export interface HostInPool {
  host: string;
  pool: string;
  /** Key and revision. */
  mode: string;
  /** What is asked for: a host for the pool, or a mode for its hosts. */
  change: "host" | "mode";
}

const cannotBe = (d: HostInPool): string =>
  d.change === "host"
    ? `Host ${d.host} cannot be in pool ${d.pool}, which has ${theBaseline(d.mode)}`
    : `Pool ${d.pool} cannot have ${theBaseline(d.mode)} because of host ${d.host}`;

const instead = (d: HostInPool): string =>
  d.change === "host"
    ? `leave ${d.host} out, or lower the mode of pool ${d.pool}`
    : `choose another mode, or take ${d.host} out of pool ${d.pool}`;

const fault =
  (forHost: string, forMode: string) =>
  (d: HostInPool): string =>
    d.change === "host" ? forHost : forMode;

/** `web-1 (avx2, bmi2), db (avx2)`, and how many more. */
function vmList(vms: readonly { vm: string; features: readonly string[] | null }[]): string {
  const shown = vms
    .slice(0, 10)
    .map(({ vm, features }) => `${vm} (${features?.join(", ") ?? "features not known"})`);
  return [...shown, ...(vms.length > 10 ? [`${String(vms.length - 10)} more`] : [])].join(", ");
}

export const evcErrors = {
  EVC_MODE_UNKNOWN: define<{ mode: string; near: string[] }>(
    404,
    "never",
    (d) => `There is no EVC mode and no common CPU set ${d.mode}.`,
    (d) => `Choose one of ${d.near.join(", ")}; godwit cpu evc list shows all.`,
  ),

  EVC_HOST_DISCONNECTED: define<HostInPool>(
    409,
    "later",
    (d) => `${cannotBe(d)}: it is not connected, so nothing can be checked.`,
    (d) => `Bring ${d.host} and its agent up.`,
    fault("EVCAdmissionFailedHostDisconnected", "HostNotConnected"),
  ),
  EVC_HOST_CPU_UNREAD: define<HostInPool & { agentVersion: string }>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: its agent (version ${d.agentVersion}) has not read its CPU.`,
    (d) =>
      `Load the kernel module cpuid on ${d.host} (modprobe cpuid), and see its agent's log; an agent that is older than the server may not read CPUs yet.`,
    fault("EVCAdmissionFailedHostSoftware", "EVCUnsupportedByHostSoftware"),
  ),
  EVC_HOST_VENDOR_UNTOLD: define<HostInPool>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: it is not known of which vendor its CPU is.`,
    (d) =>
      `Let the agent on ${d.host} read CPUID itself (/dev/cpu/0/cpuid: modprobe cpuid); godwit cpu report --host ${d.host} shows what it can read.`,
    fault("EVCAdmissionFailedCPUVendorUnknown", "EVCModeUnsupportedByHosts"),
  ),
  EVC_HOST_VENDOR_UNKNOWN: define<HostInPool & { vendor: string }>(
    409,
    "after-fix",
    (d) =>
      `${cannotBe(d)}: its CPU's vendor is ${d.vendor}, which has neither EVC modes nor common CPU sets.`,
    () => "Make a pool without an EVC mode for hosts of this vendor, all of the same kind.",
    fault("EVCAdmissionFailedCPUVendorUnknown", "EVCModeIllegalByVendor"),
  ),
  EVC_HOST_VENDOR_DIFFERS: define<HostInPool & { vendor: string; modeVendor: string }>(
    409,
    "never",
    (d) =>
      `${cannotBe(d)}: its CPU is one of ${d.vendor}, the mode is for ${d.modeVendor}, and a running VM never goes from one vendor's to another's.`,
    (d) => `Make a pool of its own for hosts with CPUs of ${d.vendor}.`,
    fault("EVCAdmissionFailedCPUVendor", "EVCModeIllegalByVendor"),
  ),
  EVC_HOST_HAS_NO_MODE: define<HostInPool & { family: number; model: number; brand: string }>(
    409,
    "never",
    (d) => `${cannotBe(d)}: its CPU (${kindOf(d)}) is older than all EVC modes.`,
    (d) => `Use ${d.host} outside of pools with EVC modes.`,
    fault("EVCAdmissionFailedCPUModel", "EVCModeUnsupportedByHosts"),
  ),
  EVC_HOST_GENERATION_LACKS: define<
    HostInPool & {
      family: number;
      model: number;
      brand: string;
      /** The highest mode of its generation. */
      generation: string;
      features: RefusedFeature[];
    }
  >(
    409,
    "never",
    (d) =>
      `${cannotBe(d)}: its CPU (${kindOf(d)}) is of a generation that satisfies ${d.generation} at most and never had what the mode requires ${places(d.features)}.`,
    (d) => `It cannot be fixed: ${instead(d)}.`,
    fault("EVCAdmissionFailedCPUModelForMode", "EVCModeUnsupportedByHosts"),
  ),
  EVC_HOST_FEATURES_MISSING: define<HostInPool & { features: RefusedFeature[] }>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: it lacks what the mode requires ${places(d.features)}.`,
    (d) => `${reasons(d.features)} Otherwise ${instead(d)}.`,
    fault("EVCAdmissionFailedCPUFeaturesForMode", "EVCModeUnsupportedByHosts"),
  ),
  EVC_HOST_FEATURES_UNTOLD: define<HostInPool & { features: RefusedFeature[] }>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: it is not known whether it has what the mode requires ${places(d.features)}.`,
    (d) =>
      `Let the agent on ${d.host} read CPUID itself (/dev/cpu/0/cpuid: modprobe cpuid), or ${instead(d)}.`,
    fault("EVCAdmissionFailedCPUFeaturesForMode", "EVCModeUnsupportedByHosts"),
  ),
  EVC_HOST_QEMU_UNTOLD: define<HostInPool & { agentVersion: string }>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: its agent (version ${d.agentVersion}) has not reported its QEMU.`,
    (d) =>
      `Install QEMU on ${d.host} if it is missing; an agent that is older than the server is to be upgraded.`,
    fault("EVCAdmissionFailedHostSoftware", "EVCUnsupportedByHostSoftware"),
  ),
  EVC_HOST_QEMU_OLD: define<HostInPool & { version: string; model: string; since: string }>(
    409,
    "after-fix",
    (d) => `${cannotBe(d)}: its QEMU ${d.version} does not know the CPU model ${d.model}.`,
    (d) => `Upgrade QEMU on ${d.host} to ${d.since} or later; otherwise ${instead(d)}.`,
    fault("EVCAdmissionFailedHostSoftwareForMode", "EVCUnsupportedByHostSoftware"),
  ),
  EVC_HOST_QEMU_LACKS: define<HostInPool & { version: string; features: RefusedFeature[] }>(
    409,
    "after-fix",
    (d) =>
      `${cannotBe(d)}: its QEMU ${d.version} cannot give guests what its hardware has ${places(d.features)}.`,
    (d) => `${reasons(d.features)} Otherwise ${instead(d)}.`,
    fault("EVCAdmissionFailedHostSoftwareForMode", "EVCUnsupportedByHostSoftware"),
  ),
  EVC_HOST_MICROCODE_LACKS: define<HostInPool & { features: RefusedFeature[]; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `${cannotBe(d)}: VMs of the pool run, or may run, with ${names(d.features)}, which came with microcode, and ${d.host} cannot give them: ${d.vms.join(", ")}.`,
    (d) => `${reasons(d.features)} Or power these VMs off first; the pool then works without these features.`,
    fault("EVCAdmissionFailedCPUFeaturesForMode", "EVCModeUnsupportedByHosts"),
  ),
  /** A warning: nobody uses them just now. */
  EVC_POOL_DROPS_MICROCODE: define<HostInPool & { features: RefusedFeature[] }>(
    409,
    "after-fix",
    (d) =>
      `With host ${d.host}, VMs of pool ${d.pool} will no longer be given ${names(d.features)}, which came with microcode and protect against attacks between VMs and programs.`,
    (d) => reasons(d.features),
  ),
  EVC_HOST_VMS_ABOVE: define<HostInPool & { vms: { vm: string; features: string[] | null }[] }>(
    409,
    "after-fix",
    (d) =>
      `${cannotBe(d)}: VMs run on it that see more than the mode, or of which it is not known: ${vmList(d.vms)}.`,
    (d) => `Power them off or move them away; once ${d.host} is in the pool they start with its mode.`,
    "EVCAdmissionFailedVmActive",
  ),
  EVC_MODE_VMS_ABOVE: define<{ pool: string; mode: string; vm: string; features: string[] | null }>(
    409,
    "after-fix",
    (d) =>
      d.features === null
        ? `Pool ${d.pool} cannot have ${theBaseline(d.mode)} while VM ${d.vm} runs: it is not known which features it sees.`
        : `Pool ${d.pool} cannot have ${theBaseline(d.mode)} while VM ${d.vm} runs: it sees more than that: ${d.features.join(", ")}.`,
    (d) => `Power VM ${d.vm} off (a restart inside the guest is not enough), then set the mode.`,
    "ActiveVMsBlockingEVC",
  ),
  EVC_MODE_OTHER_VENDOR: define<{ pool: string; mode: string; current: string; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Pool ${d.pool} cannot change from ${theBaseline(d.current)} to ${d.mode}, which is for another vendor, while VMs run in it: ${d.vms.join(", ")}.`,
    () => "Power them off first.",
    "EVCModeIllegalByVendor",
  ),
  /** A warning: the change is done, and this is when VMs see it. */
  EVC_MODE_AT_NEXT_POWER_ON: define<{ pool: string; mode: string; vms: string[] }>(
    409,
    "later",
    (d) =>
      `Running VMs keep their CPU features until they are powered off, and get ${theBaseline(d.mode)} of pool ${d.pool} at their next power-on: ${d.vms.join(", ")}.`,
    () => "Power them off and on when convenient; a restart inside the guest is not enough.",
  ),
  /** An alarm. */
  HOST_CPU_SHRANK: define<{
    host: string;
    features: RefusedFeature[];
    vms: { vm: string; features: string[] }[];
  }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} no longer has what it had ${places(d.features)}${d.vms.length === 0 ? "" : `. Running VMs use it and may fail, or may not start here or move here again: ${vmList(d.vms)}`}.`,
    (d) => reasons(d.features),
  ),
} as const;

const kindOf = ({ brand, family, model }: { brand: string; family: number; model: number }): string =>
  `${brand === "" ? "" : `${brand}, `}family ${hex(family)}, model ${hex(model)}`;

const hex = (value: number): string => `0x${value.toString(16)}`;

const names = (features: readonly RefusedFeature[]): string =>
  features.map(({ feature }) => feature).join(", ");
