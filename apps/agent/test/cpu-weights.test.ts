/** Weights of VMs' units, with simulated units: what differs is set, and nothing else. */
import type { VmId, VmRuntime } from "@godwit/contract";
import { vmUnit } from "@godwit/system";
import { expect, test } from "vitest";
import { CpuWeights, type UnitWeights } from "../src/vms/cpu-weights.ts";

const idOf = (number: number) => `22222222-2222-4222-8222-00000000000${String(number)}` as VmId;
const runtime = (number: number, pid: number | null = number) =>
  ({ id: idOf(number), name: `vm-${String(number)}`, pid }) as VmRuntime;

function host(runtimes: VmRuntime[], foreign: readonly number[] = []) {
  const has = new Map<string, number>();
  const set: string[] = [];
  const units: UnitWeights = {
    of: (pid, vm) => {
      if (foreign.includes(pid)) throw new Error("it is in another unit");
      return { unit: vmUnit(vm), weight: has.get(vmUnit(vm)) ?? null };
    },
    set: (unit, weight) => {
      has.set(unit, weight);
      set.push(`${unit} ${String(weight)}`);
      return Promise.resolve();
    },
  };
  return { has, set, runtimes, weights: new CpuWeights({ runtimes }, units) };
}

test("each VM gets its weight once; one that is not named any more gets the usual one", async () => {
  const { weights, set, has } = host([runtime(1), runtime(2), runtime(3, null)]);
  const order = [
    { id: idOf(1), weight: 300 },
    { id: idOf(3), weight: 50 },
  ];
  expect(await weights.put(order)).toEqual([]);
  expect(await weights.put(order)).toEqual([]);
  expect(set).toEqual([`${vmUnit(idOf(1))} 300`]);
  // Another process of the VM, or a hand, has changed it.
  has.delete(vmUnit(idOf(1)));
  await weights.put(order);
  expect(set).toHaveLength(2);
  await weights.put([]);
  expect(set.at(-1)).toBe(`${vmUnit(idOf(1))} 100`);
  await weights.put([]);
  expect(set).toHaveLength(3);
});

test("a little is no change, and the usual weight is kept exactly", async () => {
  const { weights, set, has } = host([runtime(1)]);
  const put = (weight: number) => weights.put([{ id: idOf(1), weight }]);
  await put(300);
  await put(310);
  await put(290);
  expect(set).toHaveLength(1);
  await put(400);
  expect(set).toHaveLength(2);
  has.set(vmUnit(idOf(1)), 101);
  await weights.put([]);
  expect(has.get(vmUnit(idOf(1)))).toBe(100);
});

test("a VM whose unit cannot be weighted is answered with the reason, and the others have theirs", async () => {
  const { weights, set } = host([runtime(1), runtime(2)], [1]);
  const vms = [1, 2].map((number) => ({ id: idOf(number), weight: 200 }));
  expect(await weights.put(vms)).toEqual([{ id: idOf(1), reason: "it is in another unit" }]);
  expect(set).toEqual([`${vmUnit(idOf(2))} 200`]);
});
