/** A VM's description with changes made to it. */
import { vmSchema, versioned } from "@godwit/contract";
import { expect, test } from "vitest";
import { cpusOf } from "../src/vms/cpu-affinity.ts";
import { changed } from "../src/vms/vm-changes.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const medium = { datastore: "shared", path: "tools.iso" };

test("what is not named stays as it is, and null takes a setting away", () => {
  const bound = changed(vm, { cpuAffinity: [1], cpuWish: { add: [], remove: [], model: "Nehalem-v1" } });
  expect(bound).toMatchObject({ cpuAffinity: [1], cpuWish: { model: "Nehalem-v1" } });
  expect(changed(bound, {})).toEqual(bound);
  expect(changed(bound, { cpuAffinity: null, cpuWish: null })).toEqual(vm);
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

test("the kernel's lists of CPUs are read as the kernel writes them", () => {
  expect([...cpusOf("0-2,8")]).toEqual([0, 1, 2, 8]);
  expect([...cpusOf("5")]).toEqual([5]);
});
