/** VMs that have moved away: what is reported of them, with a network that answers as the test says. */
import type { VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Learning } from "@godwit/network";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DepartedVms } from "../src/networks/departed-vms.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => vi.useRealTimers());

const id = (number: number) => `22222222-2222-4222-8222-${String(number).padStart(12, "0")}` as VmId;
const nic = (last: number, portGroup = "office") => ({
  mac: `52:54:00:00:00:${String(last).padStart(2, "0")}`,
  portGroup,
});
const seconds = async (count: number) => await vi.advanceTimersByTimeAsync(count * 1000);

function watched() {
  const world = {
    learning: (_mac: string): Learning => "notLearned",
    looks: 0,
    changes: 0,
    isolatedHosts: false,
    here: new Set<VmId>(),
  };
  const departed = new DepartedVms({
    networks: {
      find: (name) =>
        name === "office"
          ? {
              ...{ name, bridge: "br0", uplink: "eth1", allowForgedTransmits: false },
              isolatedHosts: world.isolatedHosts,
            }
          : undefined,
    },
    processes: { of: (vm) => (world.here.has(vm) ? ({} as unknown as QemuProcess) : undefined) },
    learning: async (_group, mac) => {
      world.looks += 1;
      return world.learning(mac);
    },
    onChange: () => (world.changes += 1),
    log: pino({ level: "silent" }),
  });
  const told = () => departed.unlearned.map(({ mac, to }) => `${mac.slice(-2)} ${to}`);
  const leaves = (number: number, ...nics: ReturnType<typeof nic>[]) => {
    departed.watch({ id: id(number), name: `web-${String(number)}`, nics }, "b");
  };
  return { world, departed, told, leaves };
}

test("an address that is learned at once is never told, and is not looked at any more", async () => {
  const { world, told, leaves } = watched();
  world.learning = () => "learned";
  leaves(1, nic(1), nic(2));
  await seconds(10);
  expect([told(), world.looks, world.changes]).toEqual([[], 2, 0]);
});

test("one of which no look ever tells anything is not looked at for long", async () => {
  const { world, told, leaves } = watched();
  world.learning = () => "unknown";
  leaves(1, nic(1));
  await seconds(120);
  const { looks } = world;
  expect(looks).toBeLessThan(25);
  await seconds(3600);
  expect([told(), world.looks]).toEqual([[], looks]);
});

test("one that is not learned is reported after some seconds, until it is", async () => {
  const { world, told, leaves, departed } = watched();
  world.learning = (mac) => (mac.endsWith("01") ? "learned" : "notLearned");
  const before = Date.now();
  leaves(1, nic(1), nic(2), nic(3, "elsewhere"));
  await seconds(2);
  expect(told()).toEqual([]);
  await seconds(4);
  expect(told()).toEqual(["02 b"]);
  const [one] = departed.unlearned;
  expect(one).toMatchObject({ id: id(1), portGroup: "office" });
  expect(Math.abs(Date.parse(one?.since ?? "") - before)).toBeLessThan(60_000);
  expect(world.changes).toBe(1);
  world.learning = () => "learned";
  await seconds(10);
  expect([told(), world.changes]).toEqual([[], 2]);
});

test("a look that fails, or that can tell nothing, takes back what was told, and what comes after it counts from then", async () => {
  const { world, told, leaves } = watched();
  leaves(1, nic(1));
  await seconds(6);
  expect(told()).toEqual(["01 b"]);
  world.learning = () => {
    throw new Error("bridge does not answer");
  };
  await seconds(60);
  expect(told()).toEqual([]);
  world.learning = () => "notLearned";
  const looks = world.looks;
  while (world.looks === looks) await seconds(1);
  expect(told()).toEqual([]);
  await seconds(120);
  expect(told()).toEqual(["01 b"]);
});

test("of a VM that is here again, that has left again or left a day ago, nothing of before is reported", async () => {
  const { world, departed, told, leaves } = watched();
  leaves(1, nic(1));
  leaves(2, nic(2));
  await seconds(6);
  expect(told()).toEqual(["01 b", "02 b"]);
  world.here.add(id(1));
  await seconds(10);
  expect(told()).toEqual(["02 b"]);
  departed.watch({ id: id(2), name: "web-2", nics: [nic(2)] }, "c");
  expect(told()).toEqual([]);
  await seconds(6);
  expect(told()).toEqual(["02 c"]);
  await seconds(86_400 + 120);
  const { looks } = world;
  await seconds(3600);
  expect([told(), world.looks]).toEqual([[], looks]);
});

test("a NIC whose link is down is not looked at; so many VMs at most are, and none after the stop", async () => {
  const { world, departed, told, leaves } = watched();
  departed.watch({ id: id(1), name: "web-1", nics: [{ ...nic(1), connected: false as const }] }, "b");
  await seconds(10);
  expect(world.looks).toBe(0);
  for (let number = 1; number <= 300; number++) leaves(number, nic(1));
  await seconds(10);
  expect(told()).toHaveLength(256);
  departed.stop();
  const { looks } = world;
  await seconds(600);
  expect(world.looks).toBe(looks);
});

test("where hosts do not receive each other's broadcasts nothing is looked at, and what was reported is taken back", async () => {
  const { world, told, leaves } = watched();
  leaves(1, nic(1));
  await seconds(12);
  expect(told()).toEqual(["01 b"]);
  const { changes } = world;
  world.isolatedHosts = true;
  await seconds(10);
  expect([told(), world.changes]).toEqual([[], changes + 1]);
  const { looks } = world;
  leaves(2, nic(2));
  await seconds(60);
  expect([told(), world.looks]).toEqual([[], looks]);
});
