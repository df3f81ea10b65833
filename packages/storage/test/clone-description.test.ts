/** What a copy of a VM is asked to be. */
import { vmDescriptionSchema, vmSchema, volumePath, type Vm } from "@godwit/contract";
import { expect, test } from "vitest";
import { cloneDescription } from "../src/index.ts";

const vm: Vm = vmSchema.parse({
  version: 2,
  id: "22222222-2222-4222-8222-222222222222",
  name: "web-1",
  datastore: "shared",
  memoryMib: 64,
  vcpus: 2,
  topology: { sockets: 2, cores: 1, threads: 1 },
  balloon: { targetMib: 64 },
  maxMemoryMib: 256,
  memoryDevices: [{ slot: 0, mib: 32, addr: 4294967296 }],
  cpu: { model: "qemu64-v1" },
  cpuWish: { remove: ["avx2"] },
  machine: "pc-q35-7.2",
  disks: [
    { name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: true },
    { name: "data", datastore: "fast", path: "web-1/data.raw", format: "raw" },
  ],
  nics: [{ portGroup: "vms", mac: "52:54:00:00:00:01", addresses: ["10.0.0.1"], number: 2 }],
  cdroms: [
    { name: "cd0", medium: { datastore: "isos", path: "tools.iso" }, connected: true },
    {
      name: "cloud-init",
      medium: { datastore: "shared", path: "web-1/cloud-init.iso" },
      connected: true,
      bus: "virtio-scsi",
    },
  ],
  cpuAffinity: [0, 1],
  guestAgent: true,
  bootOrder: ["cdrom:cloud-init", "nic:2", "cdrom:cd0", "disk:root"],
});

const volumeGroups = new Set(["san"]);

test("it is the same machine with copies of the disks, each where the VM has its own", () => {
  const copy = cloneDescription(vm, { name: "web-2", datastore: null, volumeGroups });
  expect(vmDescriptionSchema.parse(copy)).toEqual({
    name: "web-2",
    datastore: "shared",
    memoryMib: 64,
    vcpus: 2,
    topology: { sockets: 2, cores: 1, threads: 1 },
    balloon: { targetMib: 64 },
    maxMemoryMib: 256,
    machine: "pc-q35-7.2",
    cpu: { add: [], remove: ["avx2"] },
    disks: [
      { name: "root", image: "web-1/root.qcow2", imageDatastore: "shared", format: "qcow2" },
      {
        name: "data",
        datastore: "fast",
        image: "web-1/data.raw",
        imageDatastore: "fast",
        format: "raw",
      },
    ],
    nics: [{ portGroup: "vms" }],
    cdroms: [{ name: "cd0", iso: "tools.iso", datastore: "isos", connected: true }],
    cpuAffinity: [0, 1],
    guestAgent: true,
    bootOrder: ["nic:0", "cdrom:cd0", "disk:root"],
  });
});

test("with a datastore, folder and disks all lie there", () => {
  const copy = cloneDescription(vm, { name: "web-2", datastore: "fast", volumeGroups });
  expect(copy.datastore).toBe("fast");
  expect(copy.disks.map(({ datastore, imageDatastore }) => [datastore, imageDatastore])).toEqual([
    [undefined, "shared"],
    [undefined, "fast"],
  ]);
});

test("onto a LUN datastore its disks are raw volumes, and its folder lies where the VM has its own", () => {
  const copy = cloneDescription(vm, { name: "web-2", datastore: "san", volumeGroups });
  expect(copy.datastore).toBe("shared");
  const root = { imageDatastore: "shared", format: "raw", imageFormat: "qcow2", datastore: "san" };
  const data = { imageDatastore: "fast", format: "raw", datastore: "san" };
  expect(vmDescriptionSchema.parse(copy).disks).toEqual([
    { name: "root", image: "web-1/root.qcow2", ...root },
    { name: "data", image: "web-1/data.raw", ...data },
  ]);
});

test("volumes are copied to volumes of the same LUN, or to files", () => {
  const path = volumePath(vm.id, "data");
  const disks = [{ name: "data", datastore: "san", path, format: "raw" as const, taken: false }];
  for (const [datastore, on] of [
    [null, { datastore: "san" }],
    ["fast", {}],
  ] as const) {
    const copy = cloneDescription({ ...vm, disks }, { name: "web-2", datastore, volumeGroups });
    expect(vmDescriptionSchema.parse(copy)).toMatchObject({ datastore: datastore ?? "shared" });
    expect(copy.disks).toEqual([{ name: "data", image: path, imageDatastore: "san", format: "raw", ...on }]);
  }
});

test("a NIC whose link is down is not connected in the copy", () => {
  const nics = vm.nics.map((nic) => ({ ...nic, connected: false as const }));
  expect(cloneDescription({ ...vm, nics }, { name: "web-2", datastore: null, volumeGroups }).nics).toEqual([
    { portGroup: "vms", connected: false },
  ]);
});

test("a LUN is not copied", () => {
  const disks = [{ name: "data", datastore: "san", path: "lun-1", format: "raw" as const, taken: true }];
  expect(() => cloneDescription({ ...vm, disks }, { name: "web-2", datastore: null, volumeGroups })).toThrow(
    "is a LUN",
  );
});
