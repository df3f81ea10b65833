/** Errors about disks and NICs that are added to a VM, removed from it, or changed. */
import { define } from "./define.ts";

/** Why a device has no place in a VM, or may not leave it. */
const reasons = {
  noPorts: "it was powered on without PCIe root ports, which devices are plugged into",
  portsUsed: "all of its PCIe root ports have a device",
  slotsUsed: "all of its PCI slots have a device",
  sata: "a SATA controller takes no disk, and lets none go, while its guest runs",
  noController: "it has no SCSI controller, and one comes and goes only while it is stopped",
  lastOnController:
    "it is the last disk on its SCSI controller, and one comes and goes only while it is stopped",
  conventional: "an e1000 is a conventional PCI device, which goes behind no PCIe root port",
  rootBus: "it was there when the VM was powered on, on the PCIe root bus, which lets no device go",
  sharedSlot: "it shares its PCI slot with other NICs",
  unnamed: "its QEMU was started by an earlier version",
  lun: "it is a LUN, which is added while the VM is stopped",
  shares: "other NICs share its PCI slot, and its guest would not find them without it",
} as const;
export type PlaceReason = keyof typeof reasons;

const stopFirst = (d: { vm: string }): string => `Stop the VM, and do it then: godwit vm stop ${d.vm}`;

export const deviceChangeErrors = {
  DISK_ADD_CANCELLED: define<{ vm: string; disk: string }>(
    409,
    "later",
    (d) => `Disk ${d.disk} was not added to VM ${d.vm}: that was cancelled. Nothing is left of it.`,
    (d) => `Add it again: godwit vm disk add ${d.vm}`,
  ),
  DISK_NAME_TAKEN: define<{ vm: string; disk: string }>(
    409,
    "never",
    (d) => `VM ${d.vm} has a disk ${d.disk} already.`,
    (d) => `Choose another name; those that it has: godwit vm disk list ${d.vm}`,
  ),
  DEVICES_TOO_MANY: define<{ vm: string; what: "disks" | "NICs"; most: number }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} has ${String(d.most)} ${d.what}, and can have no more.`,
    (d) => `Remove one first: godwit vm ${d.what === "disks" ? "disk" : "nic"} list ${d.vm}`,
  ),
  DEVICE_HAS_NO_PLACE: define<{ vm: string; device: string; reason: PlaceReason; running: boolean }>(
    409,
    "after-fix",
    (d) =>
      `${d.device} cannot be added to VM ${d.vm}${d.running ? " while it runs" : ""}: ${reasons[d.reason]}.`,
    (d) => {
      if (!d.running) return "Remove a device that is not needed.";
      switch (d.reason) {
        case "noPorts":
          return `Power the VM off and on (godwit vm stop ${d.vm}, godwit vm start ${d.vm}); from then on it has them, unless a host's agent is of an earlier version.`;
        case "sata":
        case "noController":
          return `Add it on virtio, or stop the VM and add it then: godwit vm stop ${d.vm}`;
        case "conventional":
          return `Choose virtio or e1000e, or stop the VM and add it then: godwit vm stop ${d.vm}`;
        case "portsUsed":
          return `Power the VM off and on (godwit vm stop ${d.vm}, godwit vm start ${d.vm}), and it has four more, up to eight; or add a SCSI disk where it has one already.`;
        default:
          return stopFirst(d);
      }
    },
  ),
  DEVICE_NOT_REMOVABLE: define<{ vm: string; device: string; reason: PlaceReason; running: boolean }>(
    409,
    "after-fix",
    (d) =>
      `${d.device} of VM ${d.vm} cannot be removed${d.running ? " while the VM runs" : ""}: ${reasons[d.reason]}.`,
    (d) => (d.running ? stopFirst(d) : "Remove those NICs first."),
  ),
  DEVICE_KEPT_BY_GUEST: define<{ vm: string; device: string; seconds: number; isVolume?: boolean }>(
    409,
    "later",
    (d) =>
      `The guest of VM ${d.vm} was asked to let ${d.device} go and did not within ${String(d.seconds)} s; it is still there.`,
    (d) =>
      `See that the guest uses it no more (unmount it, or set it down) and try again, or stop the VM and do it then: godwit vm stop ${d.vm}. ${d.isVolume === true ? "A guest that lets it go later, at the latest when it is reset, loses it then, and its volume is removed with its content." : "A guest that lets it go later loses it then; no file is deleted in that case."}`,
  ),
  DEVICE_PLUG_FAILED: define<{ vm: string; device: string; host: string; reason: string }>(
    500,
    "later",
    (d) => `QEMU on host ${d.host} did not take ${d.device} for VM ${d.vm}: ${d.reason}.`,
    (d) => `Nothing was changed. QEMU's log on the host may say more; or ${stopFirst(d).replace(/^S/, "s")}`,
  ),
  DISK_NOT_LARGER: define<{ vm: string; disk: string; sizeMib: number; nowMib: number }>(
    409,
    "never",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} has ${String(d.nowMib)} MiB and is not made ${String(d.sizeMib)} MiB: a disk only grows.`,
    () => "Name a larger size.",
  ),
  DISK_SIZE_FIXED: define<{ vm: string; disk: string; datastore: string }>(
    409,
    "never",
    (d) => `Disk ${d.disk} of VM ${d.vm} is a LUN of datastore ${d.datastore}, and has its size.`,
    () => "Grow the LUN at its target; the guest sees it after the VM was powered off and on.",
  ),
  DISK_HAS_SNAPSHOTS: define<{
    vm: string;
    disk: string;
    what: "removed" | "grown" | "converted";
    snapshots: string[];
  }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} cannot be ${d.what}: snapshots of the VM have it as it was (${d.snapshots.join(", ")}).`,
    (d) => `Delete them first: godwit vm snapshot list ${d.vm}`,
  ),
  DISK_IS_VOLUME: define<{ vm: string; disk: string; datastore: string }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} is a volume of LUN datastore ${d.datastore}: one that no VM has cannot be kept.`,
    (d) => `Remove it without --keep-file, and its content is lost: godwit vm disk remove ${d.vm} ${d.disk}`,
  ),
  NIC_UNKNOWN: define<{ vm: string; nic: string; known: string[] }>(
    404,
    "never",
    (d) => `VM ${d.vm} has no NIC ${d.nic}.`,
    (d) =>
      d.known.length === 0
        ? `It has none; add one: godwit vm nic add ${d.vm} --network NAME`
        : `Name one of its NICs by its number or MAC address: ${d.known.join(", ")}.`,
  ),
} as const;
