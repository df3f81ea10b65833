import { vmSchema, type Vm } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  completed,
  deleting,
  mustKeepSnapshots,
  reverted,
  reverting,
  withoutSnapshot,
  withSnapshot,
} from "../src/index.ts";

const vm: Vm = {
  ...{
    version: 1,
    id: "6f3c9c0e-7f0e-4c1d-9a52-6d1f4f6a1c11" as Vm["id"],
    name: "web-1",
    datastore: "shared",
  },
  ...{ memoryMib: 512, vcpus: 1, cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2" },
  disks: [{ name: "data", path: "web-1/data.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "lab", mac: "52:54:00:00:00:01" }],
};
const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
const asked = (index: number) => ({
  ...{ id: idOf(index), name: `s${String(index)}`, createdAt: "2026-01-01T00:00:00.000Z", memory: false },
});
const made = (before: Vm, index: number): Vm =>
  completed(withSnapshot(before, asked(index), null), idOf(index));

test("whatever is made and deleted, parents are snapshots that there are, and without one the VM is as it was", () => {
  const steps = fc.array(fc.record({ make: fc.boolean(), pick: fc.nat() }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (all) => {
      let now = vm;
      for (const [index, { make, pick }] of all.entries()) {
        const ids = (now.snapshots ?? []).map(({ id }) => id);
        if (make && ids.length < 16) now = made(now, index);
        else if (ids.length > 0) {
          const id = ids[pick % ids.length] ?? "";
          now = pick % 2 === 0 ? withoutSnapshot(deleting(now, id), id) : reverted(reverting(now, id), id);
        }
        expect(vmSchema.safeParse(now).success).toBe(true);
        const left = new Set((now.snapshots ?? []).map(({ id }) => id));
        for (const { parent } of now.snapshots ?? []) expect(parent === null || left.has(parent)).toBe(true);
        expect(now.currentSnapshot === undefined || left.has(now.currentSnapshot)).toBe(true);
        expect(now.revertingTo).toBeUndefined();
      }
      for (const { id } of now.snapshots ?? []) now = withoutSnapshot(now, id);
      expect(now).toEqual(vm);
    }),
  );
});

test("the description of then comes back, and the disks stay where they are now", () => {
  const before = made(vm, 1);
  const disks = [{ name: "data", datastore: "fast", path: "web-1/data.qcow2", format: "qcow2" as const }];
  const later: Vm = { ...before, memoryMib: 1024, nics: [], cpuAffinity: [1], disks };
  const after = reverted(reverting(later, idOf(1)), idOf(1));
  expect(after).toMatchObject({ memoryMib: 512, nics: vm.nics, disks, snapshots: before.snapshots });
  expect(after).not.toHaveProperty("cpuAffinity");
});

test("what cannot keep a snapshot, and one too many or of the same name, is refused", () => {
  const raw = { ...vm, disks: [{ name: "data", path: "web-1/data.raw", format: "raw" as const }] };
  expect(() => {
    mustKeepSnapshots(raw);
  }).toThrow(/raw image/);
  expect(() => {
    mustKeepSnapshots({ ...vm, disks: [] });
  }).toThrow(/no disk/);
  expect(() => withSnapshot(made(vm, 1), { ...asked(2), name: "s1" }, null)).toThrow(/already/);
  const full = Array.from({ length: 16 }, (_, index) => index).reduce(made, vm);
  expect(() => withSnapshot(full, asked(99), null)).toThrow(/as many snapshots/);
  const long = { ...vm, cpuWish: { add: [], remove: [], masks: { x: "1".repeat(300_000) } } };
  expect(() => withSnapshot(long, asked(1), null)).toThrow(/too long/);
});
