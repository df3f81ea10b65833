/** Limits of VMs' CPUs, with simulated units: what differs is set and read again, and what was ordered outlives the agent. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VmId, VmRuntime } from "@godwit/contract";
import { vmUnit } from "@godwit/system";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CpuLimits, type UnitCpuLimits } from "../src/vms/cpu-limits.ts";

const log = pino({ level: "silent" });
const idOf = (number: number) => `22222222-2222-4222-8222-00000000000${String(number)}` as VmId;
const runtime = (number: number, pid: number | null = number) =>
  ({ id: idOf(number), name: `vm-${String(number)}`, pid }) as VmRuntime;
const limit = (number: number, cpus: number) => ({ id: idOf(number), cpus });

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "godwit-limits-"));
  file = join(folder, "cpu-limits.json");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function host(runtimes: VmRuntime[], o: { foreign?: number[]; unlimited?: number[] } = {}) {
  const has = new Map<string, number>();
  const set: string[] = [];
  const units: UnitCpuLimits = {
    of: (pid, vm) => {
      if (o.foreign?.includes(pid) === true) throw new Error("it is in another unit");
      return { unit: vmUnit(vm), cpus: has.get(vmUnit(vm)) ?? null };
    },
    set: (unit, cpus) => {
      set.push(`${unit} ${String(cpus)}`);
      const isKept = o.unlimited?.some((number) => vmUnit(idOf(number)) === unit) !== true;
      if (cpus === null) has.delete(unit);
      else if (isKept) has.set(unit, Math.round(cpus * 100) / 100);
      return Promise.resolve();
    },
  };
  const limits = await CpuLimits.read(file, log, units);
  return { has, set, limits, put: (...vms: ReturnType<typeof limit>[]) => limits.put(vms, { runtimes }) };
}

test("a VM that runs has its limit at once, another one when it starts; each is set once, and lifted", async () => {
  const { set, limits, put, has } = await host([runtime(1), runtime(2), runtime(3, null)]);
  expect(await put(limit(1, 0.333), limit(3, 2), limit(4, 1))).toEqual([]);
  expect(await put(limit(1, 0.333), limit(3, 2), limit(4, 1))).toEqual([]);
  expect(set).toEqual([`${vmUnit(idOf(1))} 0.333`]);
  expect([1, 2, 3, 4].map((number) => limits.of(idOf(number)))).toEqual([0.333, null, 2, 1]);
  // A hand has changed it.
  has.set(vmUnit(idOf(1)), 4);
  await put(limit(1, 0.333));
  expect(has.get(vmUnit(idOf(1)))).toBe(0.33);
  await put();
  expect(set.at(-1)).toBe(`${vmUnit(idOf(1))} null`);
  expect(limits.of(idOf(3))).toBeNull();
});

test("an agent that starts again knows what was ordered last; what it cannot read is no limit", async () => {
  const first = await host([]);
  await first.put(limit(1, 1.5));
  expect((await host([])).limits.of(idOf(1))).toBe(1.5);
  for (const text of ["{", '{"version":1,"vms":[{"id":"x","cpus":-1}]}']) {
    writeFileSync(file, text);
    expect((await host([])).limits.of(idOf(1))).toBeNull();
  }
});

test("an order that cannot be kept counts all the same, is refused, and is kept as soon as it can be", async () => {
  const { put, limits, has } = await host([runtime(1)]);
  rmSync(folder, { recursive: true });
  await expect(put(limit(1, 2))).rejects.toThrow("ENOENT");
  expect([limits.of(idOf(1)), has.get(vmUnit(idOf(1)))]).toEqual([2, 2]);
  mkdirSync(folder);
  await put(limit(1, 2));
  expect((await host([])).limits.of(idOf(1))).toBe(2);
});

test("VMs that cannot be limited are answered with the reason, and the others have theirs", async () => {
  const { put, has } = await host([runtime(1), runtime(2), runtime(3)], { foreign: [1], unlimited: [2] });
  expect(await put(limit(1, 1), limit(2, 1), limit(3, 1))).toEqual([
    { id: idOf(1), reason: "it is in another unit" },
    { id: idOf(2), reason: "the kernel does not have the limit that was set (cpu.max)" },
  ]);
  expect(has.get(vmUnit(idOf(3)))).toBe(1);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ version: 1, vms: [{}, {}, {}] });
  // Without a limit, one that is elsewhere is none of this agent's business.
  expect(await put()).toEqual([]);
});
