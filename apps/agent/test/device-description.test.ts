/** A VM's description with devices that come, go and change. */
import { vmSchema, versioned, type Vm, type VmNic } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  dropped,
  onlyNic,
  withDisk,
  withNic,
  withNicSet,
  withoutDisk,
  withoutNic,
} from "../src/vms/devices/device-description.ts";

const disk = (name: string, bus?: "sata" | "scsi"): Vm["disks"][number] => ({
  ...{ name, path: `web-1/${name}.qcow2`, format: "qcow2" },
  ...(bus === undefined ? {} : { bus }),
});
const nic = (end: string, more: Partial<VmNic> = {}): VmNic => ({
  ...{ portGroup: "office", mac: `52:54:00:00:00:${end}` },
  ...more,
});
const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2" },
  disks: [disk("root"), disk("data")],
  nics: [nic("01"), nic("02")],
});
const running = { ports: true, running: true };
const atRest = { ports: false, running: false };
const powered: Vm = { ...vm, pciePorts: 8 };

test("what comes last at rest is where it would be anyway, which agents of before read too", () => {
  const after = withNic(withDisk(vm, disk("log"), atRest), nic("03"), atRest);
  expect(versioned(after).version).toBe(2); // a free slot that is not the next of NICs is written
  expect(versioned(withDisk(vm, disk("log"), atRest)).version).toBe(1);
});

test("a NIC that goes leaves the numbers of the others, and the next one gets its number", () => {
  const without = withoutNic(vm, nic("01").mac, { running: false, named: true });
  expect(without.nics).toMatchObject([{ mac: nic("02").mac, number: 1, place: { slot: 26 } }]);
  expect(onlyNic(without, nic("02").mac).nics).toMatchObject([{ number: 1 }]);
  const again = withNic({ ...without, pciePorts: 8 }, nic("03"), running);
  expect(again.nics).toMatchObject([
    { mac: nic("02").mac, number: 1 },
    { mac: nic("03").mac, number: 0, place: { port: 0 } },
  ]);
  expect(vmSchema.safeParse(again).success).toBe(true);
});

test("while it runs, what is on the root bus stays, and what is behind a port goes", () => {
  const code = (act: () => unknown) => {
    try {
      act();
      return null;
    } catch (error) {
      return (error as { problem: { code: string; detail: string } }).problem;
    }
  };
  expect(code(() => withoutDisk(powered, "root", true))).toMatchObject({ code: "DEVICE_NOT_REMOVABLE" });
  const more = withDisk(powered, disk("log"), running);
  expect(withoutDisk(more, "log", true)).toEqual(powered);
  expect(code(() => withDisk(vm, disk("log"), running))?.detail).toContain("without PCIe root ports");
  expect(code(() => withDisk(powered, disk("log", "scsi"), running))?.detail).toContain("no SCSI controller");
  const scsi = withDisk(powered, disk("log", "scsi"), { ...atRest, ports: true });
  expect(code(() => withoutDisk(scsi, "log", true))?.detail).toContain("last disk on its SCSI controller");
  const two = withDisk(scsi, disk("more", "scsi"), running);
  expect(withoutDisk(two, "more", true).disks.map(({ name }) => name)).toEqual(["root", "data", "log"]);
  expect(code(() => withoutNic(powered, nic("01").mac, { running: true, named: true }))?.code).toBe(
    "DEVICE_NOT_REMOVABLE",
  );
  const old = { ...withNic(powered, nic("03"), running) };
  expect(code(() => withoutNic(old, nic("03").mac, { running: true, named: false }))?.detail).toContain(
    "earlier version",
  );
});

test("a link that is down is written, and one that is up is not", () => {
  const down = withNicSet(vm, nic("02").mac, { connected: false });
  expect(down.nics[1]).toEqual({ ...nic("02"), connected: false });
  expect(withNicSet(down, nic("02").mac, { portGroup: "lab" }).nics[1]).toEqual({
    ...nic("02", { portGroup: "lab" }),
    connected: false,
  });
  expect(withNicSet(down, nic("02").mac, { connected: true })).toEqual(vm);
});

test("devices that are gone leave the others where they are", () => {
  const all = withNic(withDisk(powered, disk("log"), running), nic("03"), running);
  expect(dropped(all, new Set(["log"]), new Set([nic("03").mac]))).toEqual(powered);
});

test("a device that goes leaves the boot order, whose NICs keep their numbers; the last one takes it away", () => {
  const ordered: Vm = { ...vm, bootOrder: ["nic:1", "disk:data", "nic:0"] };
  const without = withoutNic(withoutDisk(ordered, "data", false), nic("01").mac, {
    running: false,
    named: true,
  });
  expect(without.bootOrder).toEqual(["nic:1"]);
  // It gets the number 0, and is not what was booted from.
  expect(withNic(without, nic("03"), atRest).bootOrder).toEqual(["nic:1"]);
  const last = dropped(without, new Set(), new Set([nic("02").mac]));
  expect(last).not.toHaveProperty("bootOrder");
});
