/** Which VMs a new server takes into its inventory, and which it leaves out because another host may run them. */
import type { Vm, VmId } from "@godwit/contract";
import { expect, test } from "vitest";
import { leasesToRead, planAdoption, type HostHoldings, type LeaseWord } from "../src/adoption.ts";

const vm = (name: string, id = name, datastore = "shared"): Vm => ({ id, name, datastore }) as unknown as Vm;
const host = (name: string, vms: Vm[], running: string[] = []): HostHoldings => ({
  ...{ host: name, vms, unreadable: [], shared: ["shared"], running: running as VmId[] },
});
const plan = (
  holdings: HostHoldings[],
  {
    known = [],
    taken = [],
    leases = {},
  }: { known?: string[]; taken?: string[]; leases?: Record<string, LeaseWord> } = {},
) => {
  const { register, left } = planAdoption(
    holdings,
    new Set(known),
    new Set(taken),
    new Map(Object.entries(leases)),
  );
  return {
    register: register.map((one) => `${one.vm.name} on ${one.host}`),
    left: left.map(({ name, reason }) => `${name}: ${reason}`),
  };
};

test("a VM is where its process is, whoever sees its folder", () => {
  expect(plan([host("a", [vm("web")]), host("b", [vm("web")], ["web"])])).toEqual({
    register: ["web on b"],
    left: [],
  });
});

test("a VM without a process is entered only if every holder of its lease is connected", () => {
  const holdings = [host("a", [vm("web")]), host("b", [vm("web")])];
  expect(leasesToRead(holdings, new Set()).map((one) => one.vm.name)).toEqual(["web"]);
  expect(plan(holdings, { leases: { web: { holders: [] } } }).register).toEqual(["web on a"]);
  expect(plan(holdings, { leases: { web: { holders: ["b"] } } }).register).toEqual(["web on a"]);
  expect(plan(holdings, { leases: { web: { holders: ["c"] } } })).toEqual({
    register: [],
    left: ["web: c holds its lease and is not connected: it may run there"],
  });
  expect(plan(holdings, { leases: { web: { unknown: "the storage hangs" } } }).register).toEqual([]);
  expect(plan(holdings).register).toEqual([]);
});

test("what the inventory knows stays as it is, and a name is given once", () => {
  const leases = { web: { holders: [] }, other: { holders: [] } };
  expect(plan([host("a", [vm("web")], ["web"])], { known: ["web"] })).toEqual({ register: [], left: [] });
  expect(plan([host("a", [vm("web", "other")])], { taken: ["web"], leases }).left).toEqual([
    "web: another VM in the inventory has its name",
  ]);
  const two = [host("a", [vm("web"), vm("web", "other", "local")])];
  expect(plan(two, { leases }).register).toHaveLength(1);
  expect(plan(two, { leases }).left).toEqual(["web: another VM in the inventory has its name"]);
});

test("a folder on two hosts' own storage is a copy, and a process on two hosts is nobody's to choose", () => {
  const copies = [host("a", [vm("web", "web", "local")]), host("b", [vm("web", "web", "local")])];
  expect(plan(copies)).toEqual({
    register: [],
    left: ["web: a and b each have a folder of the same VM: one is a copy"],
  });
  expect(plan([host("a", [vm("web")], ["web"]), host("b", [vm("web")], ["web"])])).toEqual({
    register: [],
    left: ["web: a and b have a process of it"],
  });
  expect(plan([host("a", [], ["gone"])]).left).toEqual([
    "gone: it runs there, and no datastore has its folder",
  ]);
});
