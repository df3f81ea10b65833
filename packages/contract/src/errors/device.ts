/** Errors about what ties a VM to its host: CD-ROM media, CPU affinity, and a clock that no other host has. */
import { define } from "./define.ts";

interface Medium {
  vm: string;
  /** The CD-ROM drive's name. */
  drive: string;
  datastore: string;
  path: string;
}

interface TiedMedium extends Medium {
  host: string;
  connected: boolean;
}

const medium = (d: Medium): string => `${d.path} on datastore ${d.datastore}`;
const drive = (d: { vm: string; drive: string }): string => `CD-ROM drive ${d.drive} of VM ${d.vm}`;
const disconnect = (d: { vm: string; drive: string }): string =>
  `godwit vm cdrom disconnect ${d.vm} ${d.drive}`;
const listed = (cpus: readonly number[]): string => cpus.join(", ");

export const deviceErrors = {
  CDROM_UNKNOWN: define<{ vm: string; drive: string; known: string[] }>(
    404,
    "never",
    (d) => `VM ${d.vm} has no CD-ROM drive ${d.drive}.`,
    (d) =>
      d.known.length === 0
        ? "It has none: drives are listed under cdroms in the description that a VM is created from."
        : `Name one of its drives: ${d.known.join(", ")}.`,
  ),
  CDROM_EMPTY: define<{ vm: string; drive: string }>(
    409,
    "never",
    (d) => `${drive(d)} has no medium that could be connected.`,
    (d) => `Name an ISO image: godwit vm cdrom connect ${d.vm} ${d.drive} --iso PATH`,
  ),
  CDROM_MEDIUM_MISSING: define<Medium & { host: string }>(
    404,
    "after-fix",
    (d) => `There is no ${medium(d)} as host ${d.host} sees it, for ${drive(d)}.`,
    () => "Copy the ISO image there, or name another: paths are relative to the datastore.",
    "CannotAccessVmDevice",
  ),
  CDROM_MEDIUM_UNUSABLE: define<Medium & { host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `${drive(d)} cannot have ${medium(d)} on host ${d.host}: ${d.reason}.`,
    () =>
      "Use an ISO image that is a file of its own on the datastore, outside of VMs' folders, readable by all.",
    "CannotAccessVmDevice",
  ),
  CDROM_HOST_LOCAL: define<TiedMedium>(
    409,
    "after-fix",
    (d) =>
      `${drive(d)} has ${medium(d)}, which is local to host ${d.host}${d.connected ? "" : "; it is not connected"}.`,
    (d) =>
      d.connected
        ? `Disconnect it (${disconnect(d)}), or use an ISO image on a shared datastore.`
        : "The VM may move; to connect the drive again it needs an ISO image on a shared datastore.",
    "CannotAccessVmDevice",
  ),
  CDROM_UNREACHABLE: define<TiedMedium & { reason: string }>(
    409,
    "after-fix",
    (d) =>
      `${drive(d)} has ${medium(d)}, which host ${d.host} cannot reach: ${d.reason}${d.connected ? "" : "; it is not connected"}.`,
    (d) =>
      d.connected
        ? `Disconnect it (${disconnect(d)}), or make the datastore available on ${d.host}.`
        : `The VM may move; to connect the drive there the datastore must be available on ${d.host}.`,
    "CannotAccessVmDevice",
  ),
  VM_CPU_AFFINITY: define<{ vm: string; host: string; cpus: number[] }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} is bound to CPUs ${listed(d.cpus)} of host ${d.host}.`,
    (d) =>
      `Remove the CPU affinity; it can be done while the VM runs: godwit vm set ${d.vm} --cpu-affinity none`,
    "AffinityConfigured",
  ),
  VM_CLOCK_NOT_MOVABLE: define<{ vm: string; feature: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move while it runs: its CPU has ${d.feature}, a time stamp counter that never changes its rate, and QEMU does not migrate that.`,
    (d) =>
      `Let it have the CPU of its pool or host from its next power-on (godwit vm set-cpu ${d.vm}), or stop it and start it on the other host.`,
  ),
  CPU_AFFINITY_UNAVAILABLE: define<{ vm: string; host: string; cpus: number[]; available: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is bound to CPUs ${listed(d.cpus)}, and host ${d.host} has CPUs ${d.available} for it.`,
    (d) =>
      `Start it on a host that has them, or change the CPU affinity: godwit vm set ${d.vm} --cpu-affinity none`,
    "AffinityConfigured",
  ),
} as const;
