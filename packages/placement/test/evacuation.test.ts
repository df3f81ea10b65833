/** Emptying a host: large VMs first, to where there is room, few at a time; what cannot go is reported. */
import { finding, type VmView } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryBytes, nextMoves, type Evacuation, type Mover, type Target } from "../src/evacuation.ts";

const gib = 2 ** 30;
const mover = (name: string, memoryMib: number, live = true): Mover => ({
  vm: { id: name, name, config: { memoryMib } } as unknown as VmView,
  live,
  failedAt: [],
});
const target = (name: string, gibFree: number): Target => ({
  name,
  availableBytes: gibFree * gib,
  promisedBytes: 0,
  moves: 0,
});
const needsMemory: Evacuation["judge"] = ({ vm, live }, { name }, availableBytes) =>
  !live || memoryBytes(vm) <= availableBytes
    ? []
    : [finding("DESTINATION_MEMORY_SHORT", { host: name, neededBytes: memoryBytes(vm), availableBytes })];
const evacuation = (o: Partial<Evacuation>): Evacuation => ({
  host: "a",
  movers: [],
  targets: [],
  judge: needsMemory,
  limits: { free: 2, perTarget: 1 },
  planned: new Map(),
  onlyPlanned: new Set(),
  began: () => undefined,
  ...o,
});
const begun = (o: Partial<Evacuation>) =>
  nextMoves(evacuation(o)).begin.map(({ mover: { vm }, to }) => `${vm.name} to ${to}`);

test("the largest goes first, to the host with the most room, and each host receives one at a time", () => {
  const movers = [mover("small", 512), mover("large", 4096), mover("middle", 1024)];
  expect(begun({ movers, targets: [target("b", 8), target("c", 6)] })).toEqual(["large to b", "middle to c"]);
  const busy = { ...target("b", 8), moves: 1 };
  expect(begun({ movers, targets: [busy, target("c", 6)] })).toEqual(["large to c"]);
  expect(begun({ movers, targets: [target("b", 8)], limits: { free: 0, perTarget: 1 } })).toEqual([]);
});

test("each goes where the plan has it, and elsewhere rather than wait", () => {
  const targets = [target("b", 8), target("c", 6)];
  const planned = new Map([
    ["one", "c"],
    ["two", "c"],
  ]);
  const movers = [mover("one", 1024), mover("two", 512)];
  expect(begun({ movers, targets, planned })).toEqual(["one to c", "two to b"]);
});

test("a host that a VM could not reach is tried after the others, and again when it is the only one", () => {
  const again = { ...mover("web", 512), failedAt: ["b"] };
  expect(begun({ movers: [again], targets: [target("b", 8), target("c", 2)] })).toEqual(["web to c"]);
  expect(begun({ movers: [again], targets: [target("b", 8)] })).toEqual(["web to b"]);
});

test("stopped VMs wait for nobody", () => {
  const movers = [mover("web", 512), mover("cold-1", 512, false), mover("cold-2", 512, false)];
  const next = begun({ movers, targets: [target("b", 8)], limits: { free: 0, perTarget: 1 } });
  expect(next).toEqual(["cold-1 to b", "cold-2 to b"]);
});

test("VMs that fit one by one but not together are told, each thing once and with the VM's name", () => {
  const limits = { free: Infinity, perTarget: Infinity };
  const movers = [mover("one", 3072), mover("two", 3072), mover("three", 3072)];
  const next = nextMoves(evacuation({ movers, targets: [target("b", 4), target("c", 4)], limits }));
  expect(next.begin).toHaveLength(2);
  expect(
    next.stuck.map(({ mover: { vm }, findings }) => [vm.name, findings.map((one) => [one.vm, one.host])]),
  ).toEqual([
    [
      "two",
      [
        ["two", "b"],
        ["two", "c"],
      ],
    ],
  ]);
  const alone = nextMoves(evacuation({ movers: [mover("one", 512)], limits }));
  expect(alone.stuck[0]?.findings).toMatchObject([{ code: "DESTINATION_NONE", vm: "one" }]);
});

test("whatever the hosts and VMs are, no VM is forgotten, no limit is passed and no memory is given twice", () => {
  const anyMover = fc.record({ mib: fc.integer({ min: 16, max: 4096 }), live: fc.boolean() });
  const anyTarget = fc.record({
    gibFree: fc.integer({ min: 0, max: 8 }),
    moves: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(
      fc.array(anyMover, { maxLength: 12 }),
      fc.array(anyTarget, { maxLength: 4 }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 1, max: 2 }),
      (vms, hosts, free, perTarget) => {
        const movers = vms.map(({ mib, live }, index) => mover(`vm-${String(index)}`, mib, live));
        const targets = hosts.map(({ gibFree, moves }, index) => ({
          ...target(`h${String(index)}`, gibFree),
          moves,
        }));
        const next = nextMoves(evacuation({ movers, targets, limits: { free, perTarget } }));
        const named = [
          ...next.begin.map((one) => one.mover),
          ...next.waiting,
          ...next.stuck.map((one) => one.mover),
        ];
        expect(named.map(({ vm }) => vm.name).sort()).toEqual(movers.map(({ vm }) => vm.name).sort());
        const live = next.begin.filter((one) => one.mover.live);
        expect(live.length).toBeLessThanOrEqual(free);
        for (const { name, moves, availableBytes } of targets) {
          const here = live.filter(({ to }) => to === name);
          expect(here.length).toBeLessThanOrEqual(Math.max(0, perTarget - moves));
          const bytes = here.reduce((sum, one) => sum + memoryBytes(one.mover.vm), 0);
          expect(bytes).toBeLessThanOrEqual(availableBytes);
        }
      },
    ),
  );
});
