/** The limits of a VM's processes: never near what they need. */
import { vmSchema } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { vmLimits } from "../src/limits.ts";

const mib = 1024 * 1024;
const vmOf = (memoryMib: number, vcpus: number, disks: number) =>
  vmSchema.parse({
    version: 1,
    id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11",
    name: "probe-vm",
    datastore: "shared",
    memoryMib,
    vcpus,
    cpu: { model: "qemu64-v1" },
    machine: "pc-q35-7.2",
    disks: Array.from({ length: disks }, (_, index) => ({
      name: `d${String(index)}`,
      path: `probe-vm/d${String(index)}.raw`,
      format: "raw",
    })),
    nics: [],
  });

test("a VM of 4 GiB with one disk and two vCPUs may take 5.3 GiB under KVM, and 1 GiB more without", () => {
  const vm = vmOf(4096, 2, 1);
  expect(vmLimits({ vm, accelerator: "kvm" })).toEqual({
    memoryMaxBytes: (4096 + 256 + 64 + 32 + 1024) * mib,
    tasksMax: 516,
  });
  expect(vmLimits({ vm, accelerator: "tcg" }).memoryMaxBytes).toBe((4096 + 256 + 64 + 32 + 2048) * mib);
});

test("every VM that can be described has at least twice what QEMU is known to take beside the guest's memory", () => {
  const size = {
    memoryMib: fc.integer({ min: 16, max: 4_194_304 }),
    vcpus: fc.integer({ min: 1, max: 288 }),
  };
  fc.assert(
    fc.property(size.memoryMib, size.vcpus, fc.integer({ min: 0, max: 24 }), (memoryMib, vcpus, disks) => {
      const { memoryMaxBytes, tasksMax } = vmLimits({
        vm: vmOf(memoryMib, vcpus, disks),
        accelerator: "kvm",
      });
      // Page tables of QEMU and of the guest and KVM's reverse map; what KubeVirt adds; qcow2's caches; 256 MiB of buffers.
      const known = (3 * memoryMib) / 512 + memoryMib / 32768 + 30 + 8 * vcpus + 32 * disks + 256;
      expect(memoryMaxBytes).toBeGreaterThanOrEqual((memoryMib + 2 * known) * mib);
      expect(Number.isSafeInteger(memoryMaxBytes)).toBe(true);
      expect(tasksMax).toBeGreaterThan(vcpus + 64 + 32);
    }),
  );
});
