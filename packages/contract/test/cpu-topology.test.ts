/** Sockets, cores and threads that do not make the VM's vCPUs, or lie in two NUMA nodes, are refused with what they make. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  basisOf,
  conflictsOf,
  memoryLayoutOf,
  memoryProblems,
  versioned,
  vmDescriptionSchema,
  vmSchema,
} from "../src/index.ts";

const plain = { name: "web-1", datastore: "shared", memoryMib: 1024 };
const problemsOf = (more: object): string[] => {
  const { error } = vmDescriptionSchema.safeParse({ ...plain, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
};

test("a description whose topology makes another number of vCPUs is refused, and says how many it makes", () => {
  const topology = { sockets: 2, cores: 2, threads: 1 };
  expect(problemsOf({ vcpus: 4, topology })).toEqual([]);
  expect(problemsOf({ vcpus: 6, topology })).toEqual([
    "topology: 2 sockets × 2 cores × 1 thread are 4 vCPUs, and the VM has 6",
  ]);
  expect(problemsOf({ vcpus: 4, topology: { ...topology, cores: 0 } })).toContainEqual(
    expect.stringMatching(/^topology\.cores: /),
  );
  expect(problemsOf({ vcpus: 4, topology: { ...topology, dies: 1 } })).toEqual([
    expect.stringContaining("dies"),
  ]);
  const numa = (...nodes: number[]) => nodes.map((vcpus) => ({ vcpus, memoryMib: 1024 / nodes.length }));
  expect(problemsOf({ vcpus: 4, topology, numa: numa(2, 2) })).toEqual([]);
  expect(problemsOf({ vcpus: 4, topology, numa: numa(1, 3) })).toEqual([
    "topology: a socket has 2 vCPUs, and each NUMA node must have whole sockets: a multiple of 2 vCPUs",
  ]);
});

const count = fc.integer({ min: 1, max: 6 });
test("whatever the counts are, only their product fits, and changes of vCPUs and topology are judged together", () => {
  fc.assert(
    fc.property(count, count, count, fc.integer({ min: 1, max: 220 }), (sockets, cores, threads, vcpus) => {
      const topology = { sockets, cores, threads };
      const before = { memoryMib: 1024, vcpus: 1 };
      const after = memoryLayoutOf(before, { topology, vcpus });
      const fits = sockets * cores * threads === vcpus;
      expect(memoryProblems(after).map(({ path }) => path)).toEqual(fits ? [] : [["topology"]]);
      expect(memoryProblems(memoryLayoutOf(after, { topology: null }))).toEqual([]);
    }),
  );
});

test("a stored VM with a topology is of version 2, keeps it, and a change of it by two people is found", () => {
  const topology = { sockets: 1, cores: 1, threads: 2 };
  const vm = vmSchema.parse({
    ...{ ...plain, version: 1, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", vcpus: 2, cpu: { model: "max" } },
    ...{ machine: "pc-q35-7.2", disks: [], nics: [] },
  });
  expect(versioned(vm).version).toBe(1);
  expect(versioned({ ...vm, topology })).toMatchObject({ version: 2, topology });
  const changes = { topology: { sockets: 2, cores: 1, threads: 1 } };
  expect(conflictsOf({ ...vm, topology }, changes, basisOf(vm))).toEqual(["topology"]);
  expect(conflictsOf(vm, changes, basisOf(vm))).toEqual([]);
});
