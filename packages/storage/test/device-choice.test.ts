/** What other products' disks and NICs become: what QEMU has too stays, and a Windows gets nothing that it has no driver for. */
import { expect, test } from "vitest";
import { busOf, modelOf } from "../src/import/device-choice.ts";

test.each([
  // VMware's, VirtualBox', libvirt's and Proxmox' words.
  ["sata", "sata", true],
  ["vmware.sata.ahci", "sata", true],
  ["AHCI", "sata", true],
  ["virtio-scsi-single", "scsi", true],
  ["virtio-scsi", "scsi", true],
  ["VirtioSCSI", "scsi", true],
  ["virtio", "virtio", true],
  ["ide", "sata", false],
  ["PIIX4", "sata", false],
])("a disk on %s is on %s, for any guest", (controller, kind, isSame) => {
  for (const windows of [false, true]) {
    const choice = busOf(controller, windows);
    expect([choice.kind, choice.reason === null]).toEqual([kind, isSame]);
  }
});

test.each(["pvscsi", "lsisas1068", "lsilogic", "nvme", null])(
  "a disk on %s goes to what the guest has a driver for",
  (controller) => {
    expect(busOf(controller, true).kind).toBe("sata");
    expect(busOf(controller, true).reason).toMatch(/Windows/);
    expect(busOf(controller, false).kind).toBe("virtio");
    expect(busOf(controller, false).reason).toMatch(/driver/);
  },
);

test.each([
  ["e1000e", "e1000e"],
  ["E1000", "e1000"],
  ["e1000-82545em", "e1000"],
  ["82540EM", "e1000"],
  ["virtio", "virtio"],
])("a NIC %s is a NIC %s, for any guest", (model, kind) => {
  for (const windows of [false, true]) expect(modelOf(model, windows)).toMatchObject({ kind, reason: null });
});

test.each(["vmxnet3", "VmxNet3", "vlance", "rtl8139", null])(
  "a NIC %s goes to what the guest has a driver for",
  (model) => {
    expect(modelOf(model, true).kind).toBe("e1000e");
    expect(modelOf(model, true).reason).toMatch(/Windows/);
    expect(modelOf(model, false).kind).toBe("virtio");
    expect(modelOf(model, false).reason).toMatch(/driver/);
  },
);
