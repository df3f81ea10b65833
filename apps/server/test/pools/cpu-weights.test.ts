/** Which hosts are told which weights, with simulated hosts and inventory. */
import type { VmId } from "@godwit/contract";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Inventory } from "../../src/inventory.ts";
import { CpuWeightOrders } from "../../src/pools/cpu-weights.ts";

const log = pino({ level: "silent" });
const host = (
  name: string,
  containment: { cpuWeightsProblem?: string | null } = { cpuWeightsProblem: null },
) => ({
  ...{ name, pool: "east" },
  facts: { cpu: { logicalCpus: 2 }, containment },
  load: { vms: [{ id: "g", usedCpus: 2, readyCpus: 0 }] },
});
const vm = (id: string, on: string, state = "running") => ({ id, host: on, state, config: { vcpus: 2 } });
const gold = {
  ...{ pool: "east", name: "gold", terms: { kind: "resourcePool", shares: 9000 }, hosts: [] },
  vms: [{ id: "g" as VmId, name: "g" }],
};

function cluster() {
  const told: { host: string; vms: { id: string; weight: number }[] }[] = [];
  const state = {
    hosts: [
      host("a"),
      host("old", {}),
      host("lab", { cpuWeightsProblem: "systemd does not run there" }),
      host("away"),
    ],
    vms: [vm("g", "a"), vm("s", "a"), vm("off", "a", "stopped"), vm("o", "old")],
    rules: [] as object[],
    fails: false,
  };
  const services = {
    store: {
      hosts: { list: () => Promise.resolve(state.hosts) },
      vms: { list: () => Promise.resolve(state.vms) },
      poolRules: { list: () => Promise.resolve(state.rules) },
      pools: { list: () => Promise.resolve([{ name: "east", hosts: ["a"] }]) },
    },
    hosts: {
      isUp: (name: string) => name !== "away",
      of: (name: string) => ({
        agent: {
          call: (_: string, { body }: { body: { vms: { id: string; weight: number }[] } }) => {
            told.push({ host: name, vms: body.vms });
            const failed = state.fails ? [{ id: "g", reason: "no" }] : [];
            return Promise.resolve({ failed });
          },
        },
      }),
    },
  };
  const orders = new CpuWeightOrders(services as unknown as Inventory, log);
  return { state, told, round: () => orders.tellAll() };
}

test("a host without weights is sent its weights once; with a rule in every round; and once more when that is gone", async () => {
  const { state, told, round } = cluster();
  await round();
  await round();
  expect(told).toEqual([{ host: "a", vms: [] }]);

  state.rules = [gold];
  await round();
  await round();
  const weights = [
    { id: "g", weight: 164 },
    { id: "s", weight: 36 },
  ];
  expect(told.slice(1)).toEqual([
    { host: "a", vms: weights },
    { host: "a", vms: weights },
  ]);

  state.rules = [];
  await round();
  await round();
  expect(told.slice(3)).toEqual([{ host: "a", vms: [] }]);
});

test("a host that could not take it is asked again", async () => {
  const { state, told, round } = cluster();
  state.fails = true;
  await round();
  await round();
  expect(told).toHaveLength(2);
  state.fails = false;
  await round();
  await round();
  expect(told).toHaveLength(3);
});
