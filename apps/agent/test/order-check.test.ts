/** A destination believes no order: what the VM is says its folder, and who runs it says its lease. */
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmInVersion, vmSchema, type MoveOrder, type Vm } from "@godwit/contract";
import { Datastore, markDatastore, saveVm } from "@godwit/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkDevices, checkOrder, checkSource } from "../src/moves/order-check.ts";

let folder: string;
let datastore: Datastore;
const vmOf = (name: string, number: number): Vm =>
  vmSchema.parse({
    ...{ version: 1, id: `22222222-2222-4222-8222-22222222222${String(number)}`, name, datastore: "shared" },
    ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2" },
    disks: [{ name: "data", path: `${name}/data.qcow2`, format: "qcow2", taken: false }],
    nics: [{ portGroup: "office", mac: `52:54:00:00:00:0${String(number)}` }],
  });
const [own, other] = [vmOf("web-1", 1), vmOf("bank-1", 2)];
const order = (vm: Vm): MoveOrder => ({
  ...{ id: "11111111-1111-4111-8111-111111111111" as MoveOrder["id"], vm, from: "a" },
  ...{ to: { host: "b", agentUrl: "https://b:8444" }, maxOutageMs: 50, accelerator: "tcg" },
  ...{ strategy: "precopy", bandwidthBytesPerSecond: null },
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "order-"));
  await markDatastore({ name: "shared", path: folder, shared: true }, "b");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "b");
  for (const vm of [own, other]) {
    await mkdir(join(folder, vm.name));
    await saveVm(datastore, vm);
  }
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const refusal = (vm: Vm) => checkOrder(datastore, order(vm)).then(() => null, String);

test("a VM as its folder has it may come, whatever its process has that the folder does not say yet", async () => {
  expect(await refusal(own)).toBe(null);
  expect(
    await refusal({ ...own, cpu: { ...own.cpu, features: ["sse2"] }, cpuWish: { add: [], remove: [] } }),
  ).toBe(null);
  // So an agent of version 1 orders it.
  expect(await refusal(vmInVersion(own, 1))).toBe(null);
});

test("an order that names another VM's disk, network, folder or id is refused, and says which", async () => {
  const { disks } = other;
  expect(await refusal({ ...own, disks })).toMatch(
    /Host b does not take VM web-1 from host a: its disks differ from what vm.json on the datastore says/,
  );
  expect(await refusal({ ...own, disks: [...own.disks, ...disks] })).toMatch(/disks differ/);
  expect(await refusal({ ...own, nics: [{ portGroup: "vault", mac: "52:54:00:00:00:01" }] })).toMatch(/nics/);
  expect(await refusal({ ...own, boot: { kernel: "bank-1/data.qcow2", commandLine: "" } })).toMatch(/boot/);
  expect(await refusal({ ...own, id: other.id })).toMatch(/its id differ/);
  expect(await refusal(vmOf("nobody", 3))).toMatch(/datastore shared has no VM nobody/);
});

test("a source that does not have the VM's lease is refused", () => {
  const holder = (host: string) => ({ host, mode: "SH" as const, since: null, fresh: true, freeInMs: null });
  const refused = (...hosts: string[]) => {
    try {
      checkSource(order(own), { holders: hosts.map(holder) });
      return null;
    } catch (error) {
      return String(error);
    }
  };
  expect(refused("a", "b")).toBe(null);
  expect(refused("b", "c")).toMatch(/c, not a, has its lease/);
  expect(refused("b")).toMatch(/no other host has its lease/);
});

test("an order that names devices of a host is refused: they would be the destination's", () => {
  const devices = [{ name: "dongle", usb: "0529:0001" }];
  expect(() => {
    checkDevices(order({ ...own, version: 2, hostDevices: devices }));
  }).toThrow(expect.objectContaining({ code: "MOVE_ORDER_REFUSED" }));
  checkDevices(order(own));
});
