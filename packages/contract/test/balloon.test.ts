/** What a guest is to have of its memory is at most what the VM has, at least 64 MiB, and of memory that can be given back. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  balloonProblems,
  basisFor,
  basisOf,
  conflictsOf,
  targetMibOf,
  versioned,
  vmDescriptionSchema,
  vmSchema,
} from "../src/index.ts";

const plain = { name: "web-1", datastore: "shared", memoryMib: 1024 };
const problemsOf = (more: object): string[] => {
  const { error } = vmDescriptionSchema.safeParse({ ...plain, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
};

test("a description with a target that the VM cannot have is refused, and says why", () => {
  expect(problemsOf({ balloon: {} })).toEqual([]);
  expect(problemsOf({ balloon: { targetMib: 1024 } })).toEqual([]);
  expect(problemsOf({ balloon: { targetMib: 1025 } })).toEqual([
    "balloon.targetMib: is 1025 MiB, and the VM has 1024 MiB of memory",
  ]);
  expect(problemsOf({ balloon: { targetMib: 63 } })).toEqual(["balloon.targetMib: must be at least 64 MiB"]);
  expect(problemsOf({ balloon: { least: 64 } })).toEqual([expect.stringContaining("least")]);
  const pci = [{ name: "nic", pci: "0000:01:00.0" }];
  expect(problemsOf({ balloon: { targetMib: 512 }, hugepages: "2M", hostDevices: pci })).toEqual([
    "balloon.targetMib: huge pages are not given back to the host",
    "balloon.targetMib: memory is not given back while a PCI device of the host may write to it",
  ]);
  expect(problemsOf({ balloon: {}, hugepages: "2M" })).toEqual([]);
});

test("whatever the sizes are, the guest is to have no more than the VM has; without a target all of it", () => {
  const mib = fc.integer({ min: 64, max: 8192 });
  fc.assert(
    fc.property(mib, mib, (memoryMib, targetMib) => {
      const vm = { memoryMib, balloon: { targetMib } };
      expect(balloonProblems(vm)).toHaveLength(targetMib > memoryMib ? 1 : 0);
      expect(targetMibOf(vm)).toBe(targetMib);
      expect(targetMibOf({ memoryMib, balloon: {} })).toBe(memoryMib);
      expect(targetMibOf({ memoryMib })).toBeNull();
    }),
  );
});

test("a stored VM with a balloon is of version 2, keeps it, and a change of it by two people is found", () => {
  const vm = vmSchema.parse({
    ...{ ...plain, version: 1, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", vcpus: 2, cpu: { model: "max" } },
    ...{ machine: "pc-q35-7.2", disks: [], nics: [] },
  });
  expect(versioned(vm).version).toBe(1);
  const balloon = { targetMib: 512 };
  expect(vmSchema.parse(versioned({ ...vm, balloon }))).toMatchObject({ version: 2, balloon });
  const changes = { balloon: { targetMib: 256 } };
  expect(conflictsOf({ ...vm, balloon }, changes, basisOf(vm))).toEqual(["balloon"]);
  expect(conflictsOf({ ...vm, ...changes }, changes, basisOf(vm))).toEqual([]);
});

test("changes go with what they are held against only: an agent of an earlier version knows no balloon", () => {
  const basis = basisOf({ memoryMib: 1024, vcpus: 1 });
  expect(basisFor({ notes: "later" }, basis)).toEqual({ notes: null, cdroms: [] });
  expect(basisFor({ balloon: { targetMib: 512 } }, basis)).toEqual({ balloon: null, cdroms: [] });
});
