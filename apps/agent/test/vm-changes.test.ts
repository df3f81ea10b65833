/** A VM's description with changes made to it. */
import { vmSchema, versioned } from "@godwit/contract";
import { expect, test } from "vitest";
import { cpusOf } from "../src/vms/cpu-affinity.ts";
import { onlyTakesUsb } from "../src/vms/host-devices.ts";
import { changed, changesAnnotationsOnly } from "../src/vms/vm-changes.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const medium = { datastore: "shared", path: "tools.iso" };

test("what is not named stays as it is, and null takes a setting away", () => {
  const bound = changed(vm, { cpuAffinity: [1], cpuWish: { add: [], remove: [], model: "Nehalem-v1" } });
  expect(bound).toMatchObject({ cpuAffinity: [1], cpuWish: { model: "Nehalem-v1" } });
  expect(changed(bound, {})).toEqual(bound);
  expect(changed(bound, { memoryMib: 128, vcpus: 2 })).toEqual({ ...bound, memoryMib: 128, vcpus: 2 });
  expect(changed(bound, { cpuAffinity: null, cpuWish: null })).toEqual(vm);
});

test("vCPUs and their topology change together; what does not fit is refused before anything is changed", () => {
  const topology = { sockets: 2, cores: 2, threads: 1 };
  const laid = changed(vm, { vcpus: 4, topology });
  expect(laid).toEqual({ ...vm, vcpus: 4, topology });
  expect(() => changed(laid, { vcpus: 2 })).toThrow(
    "topology: 2 sockets × 2 cores × 1 thread are 4 vCPUs, and the VM has 2",
  );
  expect(changed(laid, { vcpus: 1, topology: null })).toEqual(vm);
});

test("a maximum comes and goes, and is never below the memory, nor beside what does not grow", () => {
  const wide = changed(vm, { maxMemoryMib: 4096 });
  expect(wide).toEqual({ ...vm, maxMemoryMib: 4096 });
  expect(changed(wide, { notes: "as before" }).maxMemoryMib).toBe(4096);
  expect(changed(wide, { maxMemoryMib: null })).toEqual(vm);
  expect(() => changed(wide, { memoryMib: 8192 })).toThrow("maxMemoryMib: is 4096 MiB");
  expect(changed(wide, { memoryMib: 8192, maxMemoryMib: 8192 })).toMatchObject({ memoryMib: 8192 });
  expect(() => changed(wide, { hugepages: "2M" })).toThrow("huge pages are not added while a VM runs");
});

test("a balloon comes with its first target; neither a target nor memory that do not fit each other are taken", () => {
  const target = changed(vm, { memoryMib: 512, balloon: { targetMib: 256 } });
  expect(target).toEqual({ ...vm, memoryMib: 512, balloon: { targetMib: 256 } });
  expect(versioned(target).version).toBe(2);
  expect(changed(target, { notes: "as before" }).balloon).toEqual({ targetMib: 256 });
  expect(changed(target, { balloon: {} }).balloon).toEqual({});
  expect(changed(target, { memoryMib: vm.memoryMib, balloon: null })).toEqual(vm);
  expect(() => changed(target, { memoryMib: 128 })).toThrow(
    "balloon.targetMib: is 256 MiB, and the VM has 128 MiB of memory",
  );
  expect(() => changed(target, { hugepages: "2M" })).toThrow("huge pages are not given back to the host");
});

test("a boot order names devices that the VM has, each once; null is the usual one again", () => {
  const disks = [{ name: "root", path: "web-1/root.raw", format: "raw" as const }];
  const bootable = { ...vm, disks, cdroms: [{ name: "cd0", medium: null, connected: false }] };
  const ordered = changed(bootable, { bootOrder: ["cdrom:cd0", "disk:root"] });
  expect(ordered).toEqual({ ...bootable, bootOrder: ["cdrom:cd0", "disk:root"] });
  expect(versioned(ordered).version).toBe(2);
  expect(changed(ordered, { memoryMib: 128 }).bootOrder).toEqual(["cdrom:cd0", "disk:root"]);
  expect(changed(ordered, { bootOrder: null })).toEqual(bootable);
  expect(() => changed(bootable, { bootOrder: ["nic:0", "disk:root", "disk:root"] })).toThrow(
    "bootOrder: the VM has no nic:0; it has disk:root, cdrom:cd0; bootOrder: disk:root is named twice",
  );
  const boot = { kernel: "guest/kernel", commandLine: "" };
  expect(() => changed({ ...bootable, boot }, { bootOrder: ["disk:root"] })).toThrow(
    "a VM that is started with a kernel boots from no device",
  );
});

test("a drive keeps its medium when it is disconnected; one that has none cannot be connected", () => {
  const empty = { ...vm, cdroms: [{ name: "cd0", medium: null, connected: false }] };
  expect(() => changed(empty, { cdrom: { name: "cd0", connected: true } })).toThrow(
    expect.objectContaining({ code: "CDROM_EMPTY" }),
  );
  expect(() => changed(vm, { cdrom: { name: "cd0", medium, connected: true } })).toThrow(
    expect.objectContaining({ code: "CDROM_UNKNOWN" }),
  );
  const connected = changed(empty, { cdrom: { name: "cd0", medium, connected: true } });
  expect(connected.cdroms).toEqual([{ name: "cd0", medium, connected: true }]);
  const disconnected = changed(connected, { cdrom: { name: "cd0", connected: false } });
  expect(disconnected.cdroms).toEqual([{ name: "cd0", medium, connected: false }]);
});

test("a VM is written in the version that its content needs, so that earlier programs read what they can", () => {
  expect(versioned(vm).version).toBe(1);
  const drives = versioned({ ...vm, cdroms: [{ name: "cd0", medium, connected: true }] });
  expect(drives.version).toBe(2);
  expect(vmSchema.parse(JSON.parse(JSON.stringify(drives)))).toEqual(drives);
  expect(versioned(changed({ ...vm, version: 2, cpuAffinity: [0] }, { cpuAffinity: null }))).toEqual(vm);
});

test("tags are added and removed one by one, and notes replaced; neither is part of the machine", () => {
  const tagged = changed(vm, { tags: { add: ["web", "prod"] }, notes: "Ada's\nkeep" });
  expect(tagged).toMatchObject({ tags: ["prod", "web"], notes: "Ada's\nkeep" });
  expect(versioned(tagged).version).toBe(2);
  expect(vmSchema.parse(JSON.parse(JSON.stringify(versioned(tagged)))).notes).toBe("Ada's\nkeep");
  const change = { tags: { add: ["prod"], remove: ["web", "absent"] } };
  expect(changed(tagged, change)).toMatchObject({ tags: ["prod"], notes: "Ada's\nkeep" });
  expect(changed(changed(tagged, change), change)).toEqual(changed(tagged, change));
  expect(changed(tagged, { tags: { remove: ["prod", "web"] }, notes: null })).toEqual(vm);
  expect(changesAnnotationsOnly(change)).toBe(true);
  expect(changesAnnotationsOnly({ ...change, tpm: true })).toBe(false);
  const many = Array.from({ length: 32 }, (_, index) => `t${String(index)}`);
  expect(() => changed(tagged, { tags: { add: many } })).toThrow(
    expect.objectContaining({ code: "VM_TAGS_TOO_MANY" }),
  );
});

test("of a VM that runs, USB devices go, and nothing else of its host devices changes", () => {
  const gpu = { name: "gpu", pci: "0000:01:00.0", id: "10de:1eb8" };
  const dongle = { name: "dongle", usb: "0529:0001" };
  expect(onlyTakesUsb([gpu, dongle], [gpu])).toBe(true);
  expect(onlyTakesUsb([gpu, dongle], [gpu, dongle])).toBe(true);
  expect(onlyTakesUsb([], [])).toBe(true);
  expect(onlyTakesUsb([gpu, dongle], [dongle])).toBe(false);
  expect(onlyTakesUsb([gpu], [gpu, dongle])).toBe(false);
  expect(onlyTakesUsb([dongle], [{ ...dongle, usb: "0529:0002" }])).toBe(false);
  const has = changed(vm, { hostDevices: [gpu, dongle] });
  expect(versioned(has)).toMatchObject({ version: 2, hostDevices: [gpu, dongle] });
  expect(changed(has, { hostDevices: [] })).toEqual(vm);
});

test("the kernel's lists of CPUs are read as the kernel writes them", () => {
  expect([...cpusOf("0-2,8")]).toEqual([0, 1, 2, 8]);
  expect([...cpusOf("5")]).toEqual([5]);
});
