/** One case of each finding of the checks, from which the page of reference is written. The hosts are a and b, the VM is web-1. */
import { finding, type ErrorCode, type ErrorDetails, type Finding } from "@godwit/contract";

export interface Sample {
  finding: Finding;
  /** Of a VM that runs; null: it is not looked at then. */
  live: Finding["severity"] | null;
  /** Of a VM that does not run; null: it is not looked at then. */
  atRest: Finding["severity"] | null;
}

const of = <Code extends ErrorCode>(
  code: Code,
  details: ErrorDetails<Code>,
  live: Finding["severity"] | null = "error",
  atRest: Finding["severity"] | null = null,
): Sample => ({ finding: finding(code, details, live ?? "error"), live, atRest });

const [vm, from, host] = ["web-1", "a", "b"];
const reason = "QEMU's message";
const datastore = "shared";
const network = { host, network: "office" };
const link = { host, link: "bond1" };
const address = "10.0.1.12";
const way = { from, host, address, port: 49152, link: "bond1" };
const avx2 = {
  feature: "avx2",
  place: { level: "7", register: "EBX", bit: 5 },
  cause: "The CPU of b never had avx2: it came with Haswell.",
  remedy: "Put a and b into a pool with the EVC mode intel-sandybridge, then power the VM off and on.",
};
const medium = { vm, drive: "cdrom", path: "iso/debian-12.iso", connected: true, host: from };

/** The chapters of the page, in the order in which people look for them. */
export const chapters: Readonly<Record<string, readonly Sample[]>> = {
  "The destination": [
    of("DESTINATION_UNREACHABLE", { host, reason: "connect ECONNREFUSED" }, "error", "error"),
    of("DESTINATION_NOT_TRUSTED", { host, reason: "certificate has expired" }, "error", "error"),
    of("DESTINATION_IN_MAINTENANCE", { host }, "error", "error"),
    of("DESTINATION_UNHEALTHY", { host, parts: ["fan 3 of power supply 1"] }, "warning", "warning"),
    of(
      "HOSTS_CLOCKS_APART",
      {
        ...{ vm, from, host, aheadMs: 95_000 },
        ...{ fromAt: "2026-03-01T10:00:00Z", hostAt: "2026-03-01T10:01:35Z" },
      },
      "warning",
    ),
    of("DESTINATION_MEMORY_SHORT", { host, neededBytes: 8 * 2 ** 30, availableBytes: 3 * 2 ** 30 }),
    of("DESTINATION_MEMORY_UNDETERMINED", { host, reason: "/proc/meminfo could not be read" }),
  ],
  "CPU and QEMU": [
    of("DESTINATION_CPU_UNKNOWN", { host, model: "SapphireRapids", version: "7.2.22" }, "error", "error"),
    of(
      "DESTINATION_CPU_LACKS",
      {
        ...{ vm, from, host, model: "Haswell", features: ["avx2"], lacking: [avx2] },
      },
      "error",
      "error",
    ),
    of("DESTINATION_CPU_VENDOR_DIFFERS", {
      vm,
      from,
      host,
      vendor: "GenuineIntel",
      hostVendor: "AuthenticAMD",
    }),
    of("DESTINATION_CPU_UNDETERMINED", { vm, from, host, what: "the CPU of host b" }),
    of("DESTINATION_CPU_SHOWS_MORE", { vm, from, host, model: "host", features: [avx2] }),
    of("CPU_HIDDEN_FEATURES_DIFFER", { vm, from, host, model: "Haswell", features: [avx2] }, "warning"),
    of("DESTINATION_BASELINE_EXCEEDED", { vm, from, host, mode: "intel-sandybridge", features: ["avx2"] }),
    of("DESTINATION_BASELINE_UNDECIDED", { vm, from, host, mode: "intel-sandybridge" }),
    of("DESTINATION_QEMU_OLDER", { host, machine: "pc-q35-10.0", version: "7.2.22" }, "error", "error"),
    of("DESTINATION_MACHINE_UNKNOWN", { host, machine: "pc-q35-2.4", version: "10.0.2" }, "error", "error"),
    of("UEFI_FIRMWARE_MISSING", { vm, host, secureBoot: false }, "error", "error"),
    of("UEFI_FIRMWARE_DIFFERS", { vm, from, host, bytes: 4_194_304, hostBytes: 2_097_152 }),
    of("TPM_UNAVAILABLE", { vm, host }, "error", "error"),
    of("TPM_ENDED", { vm, host: from }),
    of("DESTINATION_ACCELERATOR_DIFFERS", { host, source: "kvm", destination: "tcg" }),
    of("VM_CPU_AFFINITY", { vm, host: from, cpus: [2, 3] }, "error", "warning"),
    of(
      "HOST_DEVICE_TIED",
      { vm, host: from, name: "gpu", device: "PCI device 0000:01:00.0", usb: false },
      "error",
      "warning",
    ),
    of("HOST_DEVICE_MISSING", { vm, host, name: "dongle", device: "USB device 0529:0001" }, null, "error"),
    of("VM_NUMA_BINDING", { vm, host: from, nodes: [1] }, "error", "warning"),
    of("VM_MEMORY_ORDER", { vm }),
    of("HUGEPAGES_SHORT", { vm, host, size: "2M", neededPages: 2048, freePages: 512 }, "error", "warning"),
    of("VM_CLOCK_NOT_MOVABLE", { vm, feature: "invtsc" }),
    of("DESTINATION_RESUMES_PAUSED", { vm, host, version: "0.0.9", reason: "io-error" }),
    of("VM_MOVES_PAUSED", { vm, host: from, reason: "user" }, "warning"),
    of("DESTINATION_WITHOUT_VM_UIDS", {
      host,
      uid: 2_024_520_101,
      reason: "uids 2010000000 to 2109999999 are not mapped in this user namespace",
    }),
    of("DESTINATION_VM_UIDS_DIFFER", {
      ...{ host, other: from },
      vmUids: { first: 3_000_000_000, count: 65_536 },
      otherVmUids: { first: 2_024_518_000, count: 65_536 },
    }),
  ],
  "Storage and media": [
    of("DESTINATION_LACKS_DATASTORE", { host, datastore, disks: ["data"] }, "error", "error"),
    of("DATASTORE_NOT_THE_SAME", { host, datastore, other: from }, "error", "error"),
    of(
      "DATASTORE_HOST_LOCAL",
      { vm, host: from, destination: host, datastore: "local", disks: ["its folder", "disk data"] },
      "error",
      "error",
    ),
    of("DATASTORE_NOT_SHARED_THERE", { host, datastore }, "error", "error"),
    of("DATASTORE_UNAVAILABLE", { host, datastore, reason: "it is not mounted" }, "error", "error"),
    of(
      "DESTINATION_LEASES_UNAVAILABLE",
      { host, datastore, reason: "it is joining the lockspace" },
      "error",
      "error",
    ),
    of("CDROM_HOST_LOCAL", { ...medium, datastore: "local" }, "error", "warning"),
    of(
      "CDROM_UNREACHABLE",
      { ...medium, datastore: "library", host, reason: "it has no such datastore" },
      "error",
      "warning",
    ),
    of("MOVE_DATASTORE_SHARED", { vm, host, datastore }),
    of("MOVE_DISKS_HAVE_SNAPSHOTS", { vm, snapshots: ["before-upgrade"] }),
    of("MOVE_DISKS_NEED_PRECOPY", { vm }),
    of("MOVE_FIRMWARE_STAYS", { vm }),
    of("MOVE_TPM_STAYS", { vm }),
    of("DISK_IS_LUN", { vm, disk: "data", datastore: "san" }),
    of("DATASTORE_UNKNOWN", { datastore: "local-b", host, known: ["shared"] }),
    of("DATASTORE_WITHOUT_FOLDERS", { datastore: "san", host }),
    of("AGENT_CANNOT", { host, version: "0.0.9", what: "make snapshots of VMs" }, "error", "error"),
    of(
      "SUSPENDED_MEMORY_UNUSABLE",
      {
        ...{ vm, host, reason: "of its memory, it was written by QEMU 10.0.2, and the host has QEMU 7.2.22" },
      },
      null,
      "error",
    ),
    of(
      "SNAPSHOT_LACKS_THERE",
      { vm, snapshot: "before-upgrade", host, lacking: ["machine type pc-q35-10.0"] },
      "warning",
      "warning",
    ),
  ],
  "The VM's networks": [
    of("DESTINATION_LACKS_NETWORK", network, "error", "error"),
    of("NETWORK_WITHOUT_BRIDGE", { ...network, bridge: "br0" }, "error", "error"),
    of("NETWORK_INTERNAL", network, "error", "warning"),
    of("NETWORK_BRIDGE_OFF", { ...network, bridge: "br0" }, "error", "error"),
    of("NETWORK_UPLINK_MISSING", { ...network, uplink: "bond0" }, "error", "error"),
    of("NETWORK_UPLINK_ELSEWHERE", { ...network, uplink: "bond0", bridge: "br0" }, "error", "error"),
    of("NETWORK_UPLINK_OFF", { ...network, uplink: "bond0" }, "error", "error"),
    of("NETWORK_LINK_DOWN", { ...network, uplink: "bond0" }, "error", "error"),
    of("NETWORK_LINK_UNDETERMINED", { ...network, uplink: "bond0", reason }, "error", "error"),
    of("NETWORK_VLAN_DIFFERS", { ...network, vlan: 30, from, sourceVlan: 20 }, "error", "error"),
    of(
      "NETWORK_TUNNEL_MISSING",
      { ...network, from, reason: "a does not send to 10.0.2.12" },
      "error",
      "error",
    ),
    of("NETWORK_MTU_SMALLER", { ...network, mtu: 1500, from, sourceMtu: 9000 }, "error", "error"),
    of("NETWORK_MTU_LARGER", { ...network, mtu: 9000, from, sourceMtu: 1500 }, "warning", "warning"),
    of("NETWORK_FILTER_MISSING", { vm, host, reason: "nft is not installed" }, "error", "error"),
  ],
  "The migration network": [
    of("MIGRATION_NETWORK_MISSING", { host }),
    of("MIGRATION_ADDRESS_ABSENT", { host, address }),
    of("MIGRATION_LINK_OFF", link),
    of("MIGRATION_LINK_NO_CARRIER", link),
    of("MIGRATION_BRIDGE_NO_PORT", link),
    of("MIGRATION_NETWORK_SLOW", { ...link, bitsPerSecond: 100e6 }),
    of("MIGRATION_ROUTE_MISSING", { from, host, address }),
    of("MIGRATION_ADDRESS_TWICE", { from, host, address }),
    of("MIGRATION_HOST_UNANSWERED", { ...way, asked: address }),
    of("MIGRATION_PORTS_TAKEN", { host, address, first: 49_152, last: 49_215 }),
    of("MIGRATION_PORT_FILTERED", way),
    of("MIGRATION_PORT_REJECTED", { ...way, reason: "ECONNREFUSED" }),
    of("MIGRATION_SENDING_FORBIDDEN", { ...way, reason: "EPERM" }),
    of("MIGRATION_ADDRESS_FOREIGN", way),
    of("MIGRATION_PACKETS_LOST", { sender: from, receiver: host, link: "bond1", mtu: 9000 }),
    of("MIGRATION_PATH_BROKEN", { ...way, reason: "ECONNRESET" }),
    of("MIGRATION_PATH_SLOW", { ...way, bitsPerSecond: 40e6 }, "warning"),
    of("MIGRATION_ROUTE_ELSEWHERE", { ...way, expected: "bond2" }, "warning"),
    of("MIGRATION_PATH_UNTRIED", { from, host, reason: "its agent does not answer" }, "warning"),
  ],
};
