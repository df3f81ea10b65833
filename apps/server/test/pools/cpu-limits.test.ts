/** Which hosts are sent which limits, with simulated hosts and inventory. */
import { GodwitError, type VmId } from "@godwit/contract";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import type { Inventory } from "../../src/inventory.ts";
import { CpuLimitOrders } from "../../src/pools/cpu-limits.ts";

const log = pino({ level: "silent" });
const host = (name: string, pool: string | null, containment: object = { cpuLimitsProblem: null }) => ({
  ...{ name, pool },
  facts: { containment },
  load: { vms: [] },
});
const vm = (id: string, on: string, state = "running") => ({ id, host: on, state, config: { vcpus: 2 } });
const rule = (name: string, limitCores: number, ...vms: string[]) => ({
  ...{ pool: "east", name, terms: { kind: "cpu", limitCores }, hosts: [] },
  vms: vms.map((id) => ({ id: id as VmId, name: id })),
});

function cluster() {
  const told: { host: string; vms: object[] }[] = [];
  const state = {
    hosts: [
      host("a", "east"),
      host("b", "east"),
      host("old", "east", {}),
      host("lab", "east", { cpuLimitsProblem: "systemd does not run there" }),
      host("away", "east"),
      host("w", "west"),
    ],
    vms: [vm("x", "a"), vm("y", "lab"), vm("z", "old"), vm("off", "b", "stopped"), vm("w", "w")],
    rules: [] as object[],
    failed: [] as { id: string; reason: string }[],
    /** By the clock that is never set. */
    nowMs: 0,
    removed: "",
    answers: (): Promise<object> => Promise.resolve({ failed: state.failed }),
  };
  const services = {
    store: {
      hosts: { list: () => Promise.resolve(state.hosts) },
      vms: { list: () => Promise.resolve(state.vms) },
      poolRules: { list: () => Promise.resolve(state.rules) },
      pools: { list: () => Promise.resolve([]) },
    },
    hosts: {
      isUp: (name: string) => name !== "away",
      of: (name: string) => {
        if (name === state.removed) throw GodwitError.of("HOST_UNKNOWN", { host: name, known: [] });
        const call = (_: string, { body }: { body: { vms: object[] } }) => {
          told.push({ host: name, vms: body.vms });
          return state.answers();
        };
        return { agent: { call } };
      },
    },
  };
  const orders = new CpuLimitOrders(services as unknown as Inventory, log, () => state.nowMs);
  return { state, told, orders };
}

test("every host of the pool that can limit knows the limits of all its VMs; hosts without limits are not sent that for ever", async () => {
  const { state, told, orders } = cluster();
  await orders.tellAll();
  state.nowMs = 300_001;
  await orders.tellAll();
  expect(told.map((one) => one.host).sort()).toEqual(["a", "b", "w"]);
  told.length = 0;
  state.rules = [rule("r", 1.5, "x", "off", "y"), rule("gone", 1, "w")];
  await orders.tellAll();
  const [x, y, off] = ["x", "y", "off"].map((id) => ({ id, cpus: 1.5 }));
  expect(told).toEqual([
    { host: "a", vms: [x, y, off] },
    { host: "b", vms: [off, x, y] },
  ]);
  told.length = 0;
  state.rules = [];
  await orders.tellAll();
  const lifted = ["a", "b"].map((one) => ({ host: one, vms: [] }));
  expect(told).toEqual(lifted);
  // A VM whose QEMU was just being started has the limit of before, and is not there yet when the order is carried out.
  state.nowMs += 200_000;
  await orders.tellAll();
  expect(told).toEqual([...lifted, ...lifted]);
  state.nowMs += 200_000;
  await orders.tellAll();
  expect(told).toHaveLength(4);
});

test("a host that is removed in the middle of it keeps no other one, nor who made the rule, from it", async () => {
  const { state, told, orders } = cluster();
  state.rules = [rule("r", 1.5, "x")];
  state.removed = "a";
  await orders.tellAll();
  expect(told.map((one) => one.host)).toContain("b");
});

test("a rule's author does not wait for a host that does not answer, nor for a round that fails", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { state, orders } = cluster();
    state.rules = [rule("r", 1, "x")];
    state.answers = () => new Promise(() => undefined);
    const made = orders.soon();
    await vi.advanceTimersByTimeAsync(5000);
    await made;
  } finally {
    vi.useRealTimers();
  }
  const { state, orders } = cluster();
  state.answers = () => Promise.reject(new Error("broken"));
  state.rules = [rule("r", 1, "x")];
  await expect(orders.tellAll()).rejects.toThrow("broken");
  await orders.soon();
});

test("what a VM has is known with why it is not enforced", async () => {
  const { state, orders } = cluster();
  state.vms.push(vm("q", "away"));
  state.rules = [rule("r", 1.5, "x", "y", "z", "q")];
  const of = (id: string, on: string) => orders.of({ id: id as VmId, host: on });
  expect(await of("x", "a")).toEqual({ cpus: 1.5, problem: null });
  expect(await of("y", "lab")).toEqual({ cpus: 1.5, problem: "systemd does not run there" });
  expect(await of("z", "old")).toEqual({ cpus: 1.5, problem: "its agent is of an earlier version" });
  expect(await of("q", "away")).toEqual({ cpus: 1.5, problem: "the server does not reach the host now" });
  expect(await of("off", "b")).toBeNull();
  expect(await of("w", "w")).toBeNull();
  state.failed = [{ id: "x", reason: "no" }];
  await orders.tellAll();
  expect(await of("x", "a")).toEqual({ cpus: 1.5, problem: "no" });
  state.failed = [];
  await orders.tellAll();
  expect(await of("x", "a")).toEqual({ cpus: 1.5, problem: null });
});
