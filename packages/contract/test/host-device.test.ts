/** Which devices of a host can be a VM's, and what stands against the others. */
import { expect, test } from "vitest";
import {
  hostDeviceDescriptionsSchema,
  hostDeviceProblem,
  sameHostDevice,
  type HostDeviceFacts,
} from "../src/schemas/host-device.ts";

const pci = (address: string, group: number | null, driver: string | null) => ({
  address,
  id: "10de:1eb8",
  group,
  driver,
});
const facts: HostDeviceFacts = {
  pci: [
    pci("0000:01:00.0", 7, "vfio-pci"),
    pci("0000:01:00.1", 7, null),
    pci("0000:02:00.0", 8, "vfio-pci"),
    pci("0000:02:00.1", 8, "snd_hda_intel"),
    pci("0000:03:00.0", 9, "nvme"),
    pci("0000:04:00.0", 10, null),
    pci("0000:05:00.0", null, "vfio-pci"),
  ],
  usb: [
    { id: "0529:0001", bus: 1, device: 4 },
    { id: "0529:0002", bus: 1, device: 5 },
    { id: "0529:0002", bus: 2, device: 2 },
  ],
};
const of = (device: { pci: string; id?: string } | { usb: string }) =>
  hostDeviceProblem({ name: "x", ...device }, facts);

test("a PCI device needs VFIO's driver, and so does all that shares its IOMMU group", () => {
  expect(of({ pci: "0000:01:00.0" })).toBeNull();
  expect(of({ pci: "0000:01:00.0", id: "10de:1eb8" })).toBeNull();
  expect(of({ pci: "0000:01:00.0", id: "10de:0000" })).toBe("missing");
  expect(of({ pci: "0000:09:00.0" })).toBe("missing");
  expect(of({ pci: "0000:02:00.0" })).toEqual({
    reason: expect.stringContaining("0000:02:00.1 has driver snd_hda_intel") as string,
  });
  expect(of({ pci: "0000:03:00.0" })).toEqual({
    reason: expect.stringContaining("has driver nvme") as string,
  });
  expect(of({ pci: "0000:04:00.0" })).toEqual({ reason: expect.stringContaining("no driver") as string });
  expect(of({ pci: "0000:05:00.0" })).toEqual({ reason: expect.stringContaining("no IOMMU") as string });
});

test("a USB device is named by what it is, and must be the only one", () => {
  expect(of({ usb: "0529:0001" })).toBeNull();
  expect(of({ usb: "0529:0003" })).toBe("missing");
  expect(of({ usb: "0529:0002" })).toEqual({ reason: "there are 2 such devices" });
});

test.each([
  [[{ name: "a", pci: "01:00.0" }]],
  [[{ name: "a", pci: "0000:01:00.0,x=y" }]],
  [[{ name: "a", usb: "0529:0001", pci: "0000:01:00.0" }]],
  [
    [
      { name: "a", usb: "0529:0001" },
      { name: "a", usb: "0529:0002" },
    ],
  ],
  [
    [
      { name: "a", usb: "0529:0001" },
      { name: "b", usb: "0529:0001" },
    ],
  ],
  [Array.from({ length: 9 }, (_, index) => ({ name: `d${String(index)}`, usb: `0529:000${String(index)}` }))],
])("%j are no host devices", (devices) => {
  expect(hostDeviceDescriptionsSchema.safeParse(devices).success).toBe(false);
});

test("what a VM has already need not be looked for, unless it is said to be another", () => {
  const had = [
    { name: "gpu", pci: "0000:01:00.0", id: "10de:1eb8" },
    { name: "dongle", usb: "0529:0001" },
  ];
  expect(sameHostDevice(had, { name: "gpu", pci: "0000:01:00.0" })).toEqual(had[0]);
  expect(sameHostDevice(had, { name: "gpu", pci: "0000:01:00.0", id: "10de:0000" })).toBeNull();
  expect(sameHostDevice(had, { name: "gpu", usb: "0529:0001" })).toBeNull();
  expect(sameHostDevice(had, { name: "dongle", usb: "0529:0001" })).toEqual(had[1]);
});
