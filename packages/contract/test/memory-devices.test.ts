/** Memory that is added while a VM runs: up to its maximum, in steps and slots that guests and QEMU know, and plain memory when it is powered off. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bootMemoryMib,
  GodwitError,
  memoryDeviceProblems,
  memoryGrowth,
  memorySlots,
  versioned,
  vmDescriptionSchema,
  vmSchema,
  withMemoryDevices,
  withPlainMemory,
  type GrowthProblem,
  type MemoryDevice,
} from "../src/index.ts";

const plain = { name: "web-1", datastore: "shared", memoryMib: 1024 };
const problemsOf = (more: object): string[] => {
  const { error } = vmDescriptionSchema.safeParse({ ...plain, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
};
const stored = vmSchema.parse({
  ...{ ...plain, version: 1, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", vcpus: 1, cpu: { model: "max" } },
  ...{ machine: "pc-q35-7.2", disks: [], nics: [] },
});

test("a description with a maximum that the VM cannot have is refused, and says why", () => {
  expect(problemsOf({ maxMemoryMib: 1024 })).toEqual([]);
  expect(problemsOf({ maxMemoryMib: 8192, balloon: { targetMib: 512 } })).toEqual([]);
  expect(problemsOf({ maxMemoryMib: 1023 })).toEqual([
    "maxMemoryMib: is 1023 MiB, and the VM has 1024 MiB of memory",
  ]);
  const more = {
    hugepages: "2M",
    numa: [{ vcpus: 1, memoryMib: 1024 }],
    hostDevices: [{ name: "nic", pci: "0000:01:00.0" }],
  };
  expect(problemsOf({ maxMemoryMib: 2048, ...more })).toEqual([
    "maxMemoryMib: huge pages are not added while a VM runs",
    "maxMemoryMib: memory is not added to NUMA nodes while a VM runs",
    "maxMemoryMib: memory is not added while a PCI device of the host may write to it",
  ]);
  expect(problemsOf(more)).toEqual([]);
});

test("of sizes that are asked for one after the other, a VM that runs gets each or a reason, and never other memory than it began with", () => {
  const mib = fc.oneof(
    fc.integer({ min: 16, max: 20_000 }),
    fc.integer({ min: 1, max: 160 }).map((steps) => steps * 128),
  );
  const asked = fc.array(mib, { maxLength: 60 });
  fc.assert(
    fc.property(mib, fc.option(mib, { nil: undefined }), asked, (memoryMib, above, sizes) => {
      const maxMemoryMib = above === undefined ? undefined : memoryMib + above;
      let vm: { memoryMib: number; maxMemoryMib?: number | undefined; memoryDevices?: MemoryDevice[] } = {
        ...{ memoryMib, maxMemoryMib },
      };
      for (const size of sizes) {
        const growth = memoryGrowth(vm, size);
        if (growth === null) expect(size).toBe(vm.memoryMib);
        else if ("device" in growth) {
          vm = withMemoryDevices(vm, [...(vm.memoryDevices ?? []), { ...growth.device, addr: 2 ** 32 }]);
          expect(vm.memoryMib).toBe(size);
        } else {
          const why: Record<GrowthProblem, boolean> = {
            shrinks: size < vm.memoryMib,
            noMaximum: maxMemoryMib === undefined,
            aboveMaximum: size > (maxMemoryMib ?? 0),
            step: (size - vm.memoryMib) % 128 !== 0,
            slotsUsed: vm.memoryDevices?.length === memorySlots,
            emulated: false,
          };
          expect(why[growth.problem]).toBe(true);
        }
        expect(bootMemoryMib(vm)).toBe(memoryMib);
        expect(memoryDeviceProblems(vm)).toEqual([]);
        expect(vm.memoryMib).toBeLessThanOrEqual(Math.max(memoryMib, maxMemoryMib ?? 0));
        expect(withPlainMemory(vm)).toEqual({ memoryMib: vm.memoryMib, maxMemoryMib });
      }
    }),
  );
});

test("a device that is taken out again takes its memory along", () => {
  const [confirmed, unknown] = [
    { slot: 0, mib: 128, addr: 2 ** 32 },
    { slot: 1, mib: 256 },
  ];
  const vm = withMemoryDevices({ memoryMib: 1024, memoryDevices: [] }, [confirmed, unknown]);
  expect(vm.memoryMib).toBe(1408);
  expect(withMemoryDevices(vm, [confirmed])).toEqual({ memoryMib: 1152, memoryDevices: [confirmed] });
  expect(withMemoryDevices(vm, [])).toEqual({ memoryMib: 1024 });
});

test("devices that no QEMU can have been given, or of which that is not known, start none", () => {
  const at = (slot: number, more: object = { addr: 2 ** 32 }) => ({ slot, mib: 128, ...more });
  const vm = { memoryMib: 1280, maxMemoryMib: 2048 };
  expect(memoryDeviceProblems({ ...vm, memoryDevices: [at(0), at(1)] })).toEqual([]);
  expect(memoryDeviceProblems({ ...vm, memoryDevices: [at(1), at(1)] })).toEqual([
    "memoryDevices: two have the same slot",
  ]);
  expect(memoryDeviceProblems({ ...vm, memoryDevices: [at(0, {})] })).toEqual([
    "memoryDevices: whether QEMU has all of them is not known",
  ]);
  expect(memoryDeviceProblems({ ...vm, memoryMib: 128, memoryDevices: [at(0)] })).toEqual([
    "memoryDevices: they have more memory than the VM",
  ]);
  expect(memoryDeviceProblems({ memoryMib: 1280, memoryDevices: [at(0)] })).toEqual([
    "memoryDevices: with them the VM has more than maxMemoryMib",
  ]);
});

test("a stored VM with a maximum, or with memory that was added, is of version 2 and keeps it", () => {
  const memoryDevices = [{ slot: 0, mib: 128, addr: 4_294_967_296 }];
  expect(versioned(stored).version).toBe(1);
  expect(vmSchema.parse(versioned({ ...stored, maxMemoryMib: 2048 }))).toMatchObject({
    ...{ version: 2, maxMemoryMib: 2048 },
  });
  expect(vmSchema.parse(versioned({ ...stored, memoryDevices }))).toMatchObject({
    version: 2,
    memoryDevices,
  });
  for (const wrong of [
    [],
    [{ slot: 16, mib: 128 }],
    [{ slot: 0, mib: 0 }],
    [{ slot: 0, mib: 128, addr: 0.5 }],
  ])
    expect(vmSchema.safeParse({ ...stored, memoryDevices: wrong }).success).toBe(false);
});

test("a refusal says what the VM has, why it gets no more, and what to do", () => {
  const of = (reason: GrowthProblem, wantedMib: number) =>
    GodwitError.of("VM_MEMORY_FIXED", { vm: "web-1", reason, nowMib: 1024, wantedMib, maxMib: 2048 });
  expect(of("shrinks", 512).message).toBe(
    "VM web-1 has 1024 MiB of memory and does not get 512 MiB while it runs: memory is only added while a VM runs.",
  );
  expect(of("shrinks", 512).remedy).toMatch("godwit vm set web-1 --memory-target 512MiB");
  expect(of("step", 1100).remedy).toMatch(/^Add 128 MiB: godwit vm set web-1 --memory 1152MiB; or stop/);
  for (const reason of ["noMaximum", "aboveMaximum", "slotsUsed"] as const)
    expect(of(reason, 4096).remedy).toMatch("godwit vm stop web-1");
});
