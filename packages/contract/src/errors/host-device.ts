/** Errors about devices of a host that a VM has for itself. */
import { define } from "./define.ts";

interface Device {
  vm: string;
  host: string;
  /** The VM's name of it. */
  name: string;
  /** Like `PCI device 0000:01:00.0`. */
  device: string;
}

const named = (d: Device): string => `${d.device} (${d.name}) of VM ${d.vm}`;

export const hostDeviceErrors = {
  HOST_DEVICE_TIED: define<Device & { usb: boolean }>(
    409,
    "after-fix",
    (d) => `${named(d)} is a device of host ${d.host}, and stays there.`,
    (d) =>
      `${d.usb ? "Remove it, which can be done while the VM runs" : "Stop the VM, and remove it"}: godwit vm host-device remove ${d.vm} ${d.name}`,
    "DisallowedMigrationDeviceAttached",
  ),
  HOST_DEVICE_MISSING: define<Device>(
    409,
    "after-fix",
    (d) => `Host ${d.host} does not have ${named(d)}.`,
    (d) =>
      `Start the VM on the host that has it, or remove it: godwit vm host-device remove ${d.vm} ${d.name}. What a host has: godwit host show ${d.host}`,
    "CannotAccessVmDevice",
  ),
  HOST_DEVICE_UNUSABLE: define<Device & { reason: string }>(
    409,
    "after-fix",
    (d) => `${named(d)} cannot be given to it on host ${d.host}: ${d.reason}.`,
    () => "Make it available to VMs on the host, and start the VM again.",
    "CannotAccessVmDevice",
  ),
  HOST_DEVICE_UNSAVABLE: define<Device & { usb: boolean }>(
    409,
    "after-fix",
    (d) =>
      `The memory of VM ${d.vm} cannot be saved on host ${d.host}: ${d.device} (${d.name}) has a state that is not saved with it.`,
    (d) =>
      d.usb
        ? `Remove the device, which can be done while the VM runs: godwit vm host-device remove ${d.vm} ${d.name}`
        : `Shut the VM down: godwit vm stop ${d.vm}; or take a snapshot without --memory.`,
  ),
  HOST_DEVICE_UNKNOWN: define<{ vm: string; name: string; known: string[] }>(
    404,
    "never",
    (d) => `VM ${d.vm} has no host device ${d.name}.`,
    (d) => (d.known.length === 0 ? "It has none." : `Name one that it has: ${d.known.join(", ")}.`),
  ),
} as const;
