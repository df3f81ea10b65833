/** A device of a host is one VM's, and only its user's: whoever asks at the same moment, however the device vanishes. */
import { chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  hostDeviceFactsSchema,
  vmSchema,
  type HostDevice,
  type HostDeviceFacts,
  type Vm,
} from "@godwit/contract";
import { expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { HostDeviceAdmission } from "../src/vms/host-device-admission.ts";
import { hostDeviceFacts } from "../src/vms/host-device-facts.ts";
import { hostUseOfUsb } from "../src/vms/host-use-of-usb.ts";
import { giveHostDevices, mustBeSavable, takeBack } from "../src/vms/host-devices.ts";

const pci = (address: string, group: number | null, driver: string | null = "vfio-pci") => ({
  ...{ address, id: "10de:1eb8", group, driver },
});
const gpu = { name: "gpu", pci: "0000:01:00.0", id: "10de:1eb8" };
const sound = { name: "sound", pci: "0000:01:00.1", id: "10de:1eb8" };
const disk = { name: "disk", pci: "0000:02:00.0", id: "10de:1eb8" };
const dongle = { name: "dongle", usb: "0529:0001" };
const facts: HostDeviceFacts = {
  pci: [pci(gpu.pci, 7), pci(sound.pci, 7), pci(disk.pci, 8)],
  usb: [{ id: dongle.usb, bus: 1, device: 4 }],
};
const vmOf = (number: number, hostDevices: HostDevice[], usbSlot?: number): Vm =>
  vmSchema.parse({
    ...{ version: 2, id: `22222222-2222-4222-8222-22222222222${String(number)}`, datastore: "shared" },
    ...{ name: `web-${String(number)}`, memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" } },
    ...{ machine: "pc-q35-7.2", disks: [], nics: [], hostDevices },
    ...(usbSlot === undefined ? {} : { usbSlot }),
  });
const refusal = (act: () => unknown): unknown => {
  try {
    act();
    return null;
  } catch (error) {
    return error;
  }
};
const unusable = (reason: string) => ({
  code: "HOST_DEVICE_UNUSABLE",
  message: expect.stringContaining(reason) as string,
});

function admission(present: Vm[] = [], silent: Vm[] = []) {
  const processes = { present: present.map((vm) => ({ spec: { vm } })) };
  const all = new HostDeviceAdmission({ host: "a", processes, unanswering: () => silent, look: () => facts });
  return (vm: Vm) => all.reserve(vm);
}

test("of two VMs that are started at the same moment with one device, one is refused, until the other has ended", () => {
  for (const device of [gpu, dongle]) {
    const reserve = admission();
    const one = reserve(vmOf(1, [device], 20));
    const again = () => reserve(vmOf(2, [{ ...device, name: "mine" }], 20));
    expect(refusal(again)).toMatchObject(unusable("VM web-1 has it"));
    one[Symbol.dispose]();
    expect(refusal(again)).toBeNull();
  }
  expect(refusal(() => admission([vmOf(1, [gpu])])(vmOf(2, [gpu])))).toMatchObject(
    unusable("VM web-1 has it"),
  );
  expect(refusal(() => admission([vmOf(1, [gpu])])(vmOf(1, [gpu])))).toBeNull();
});

test("devices of one IOMMU group are one VM's", () => {
  const reserve = admission([vmOf(1, [gpu])]);
  expect(refusal(() => reserve(vmOf(2, [sound])))).toMatchObject(
    unusable("VM web-1 has PCI device 0000:01:00.0 of the same IOMMU group"),
  );
  expect(refusal(() => reserve(vmOf(2, [disk])))).toBeNull();
  expect(refusal(() => admission()(vmOf(2, [gpu, sound])))).toBeNull();
});

test("while a VM does not answer, nobody is given what it may have", () => {
  const reserve = admission([], [vmOf(1, [])]);
  expect(refusal(() => reserve(vmOf(2, [gpu])))).toMatchObject(unusable("VM web-1 does not answer there"));
  expect(refusal(() => reserve(vmOf(2, [])))).toBeNull();
});

test("a VM with no PCI slot left for its devices is refused with that", () => {
  const name = (index: number) => `d${String(index)}`;
  const disks = Array.from({ length: 24 }, (_, index) => ({
    ...{ name: name(index), path: `web-1/${name(index)}.raw`, format: "raw" as const },
  }));
  expect(refusal(() => admission()({ ...vmOf(1, [gpu, sound]), disks }))).toMatchObject(
    unusable("PCI slots"),
  );
  expect(refusal(() => admission()({ ...vmOf(1, [gpu]), disks }))).toBeNull();
  expect(refusal(() => admission()(vmOf(1, [dongle])))).toMatchObject(unusable("PCI slots"));
});

test("a device that has vanished since is missing, and nothing else is given away in its place", async () => {
  const gone: HostDeviceFacts = { pci: [pci(gpu.pci, null)], usb: [] };
  const give = (device: HostDevice, now: HostDeviceFacts) =>
    giveHostDevices(vmOf(1, [device]), { uid: 0, gid: 0 }, "a", () => now);
  await expect(give(gpu, { pci: [], usb: [] })).rejects.toMatchObject({ code: "HOST_DEVICE_MISSING" });
  await expect(give(gpu, gone)).rejects.toMatchObject(unusable("no IOMMU"));
  await expect(give(dongle, gone)).rejects.toMatchObject({ code: "HOST_DEVICE_MISSING" });
  const twice = { ...facts, usb: [...facts.usb, ...facts.usb] };
  await expect(give(dongle, twice)).rejects.toMatchObject(unusable("2 such devices"));
  // What this machine has is of the form that devices have.
  expect(hostDeviceFactsSchema.safeParse(hostDeviceFacts()).success).toBe(true);
});

describeWith("the user root", process.getuid?.() === 0 ? null : "tests run as another", () => {
  test("what is a VM's user's is root's again; what is another's stays", async () => {
    const folder = await mkdtemp(join(tmpdir(), "nodes-"));
    const node = join(folder, "7");
    const owner = async () => (await stat(node)).uid;
    try {
      await writeFile(node, "");
      await chown(node, 70_001, 70_001);
      await takeBack(node, 70_002);
      expect(await owner()).toBe(70_001);
      await takeBack(node, 70_001);
      expect(await owner()).toBe(0);
      await takeBack(join(folder, "absent"), 70_001);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test("memory is not saved without what is in a device", () => {
  expect(
    refusal(() => {
      mustBeSavable(vmOf(1, [dongle]), "a");
    }),
  ).toMatchObject({
    code: "HOST_DEVICE_UNSAVABLE",
    problem: { remedy: expect.stringContaining("vm host-device remove web-1 dongle") as string },
  });
  mustBeSavable(vmOf(1, []), "a");
});

test("a USB device that the host itself uses stays the host's", async () => {
  const sysfs = await mkdtemp(join(tmpdir(), "sysfs-"));
  const make = async (path: string, files: Record<string, string> = {}) => {
    await mkdir(join(sysfs, path), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(sysfs, path, name), text);
  };
  const link = async (to: string, path: string) => {
    await symlink(join(sysfs, to), join(sysfs, path));
  };
  try {
    for (const folder of ["bus/usb/devices", "class/block", "class/net"]) await make(folder);
    for (const [name, devnum] of [
      ["1-1", "4\n"],
      ["1-10", "5\n"],
    ] as const) {
      await make(`devices/usb1/${name}`, { busnum: "1\n", devnum });
      await link(`devices/usb1/${name}`, `bus/usb/devices/${name}`);
    }
    await make("devices/usb1/1-1/1-1:1.0/host4/block/sdb");
    await link("devices/usb1/1-1/1-1:1.0/host4/block/sdb", "class/block/sdb");
    await make("devices/usb1/1-10/1-10:1.0/net/usb0", { flags: "0x1003\n" });
    await link("devices/usb1/1-10/1-10:1.0/net/usb0", "class/net/usb0");
    const asked: string[] = [];
    const use = (device: number, isUsed: boolean) =>
      hostUseOfUsb(
        { bus: 1, device },
        {
          sysfs,
          isBusy: (name) => {
            asked.push(name);
            return Promise.resolve(isUsed);
          },
        },
      );
    expect(await use(4, true)).toBe("the host uses sdb, which is on it");
    expect(await use(4, false)).toBeNull();
    expect(asked).toEqual(["sdb", "sdb"]);
    expect(await use(5, true)).toBe("the host has network interface usb0 of it up");
    expect(await use(6, true)).toBeNull();
    await writeFile(join(sysfs, "class/net/usb0/flags"), "0x1002\n");
    expect(await use(5, true)).toBeNull();
  } finally {
    await rm(sysfs, { recursive: true });
  }
});
