/** A host gives out the memory that it has, once. */
import type { VmId, VmRuntime } from "@godwit/contract";
import { qemuOverheadBytes } from "@godwit/requirements";
import { expect, test } from "vitest";
import { MemoryAdmission } from "../src/vms/memory-admission.ts";

const mib = 1024 * 1024;
const vm = (id: string, memoryMib: number) => ({ id: id as VmId, name: id, memoryMib });
const runtime = ({ id, memoryMib }: ReturnType<typeof vm>, pid: number | null): VmRuntime => ({
  ...{
    id,
    name: id,
    state: "running",
    pid,
    accelerator: "tcg",
    startedAt: null,
    memoryMib,
    pauseReason: null,
  },
});

function host(availableMib: number) {
  const runtimes: VmRuntime[] = [];
  const resident = new Map<number, number>();
  const kernel = { freePages: 100 };
  const admission = new MemoryAdmission({
    host: "b",
    processes: { runtimes, of: () => undefined },
    load: () => ({
      ...{ availableBytes: availableMib * mib, pressurePercent: null },
      hugepages: [{ size: "2M", ...kernel }],
    }),
    residentBytes: (pid) => resident.get(pid) ?? null,
    numaNodes: () => [0, 1],
  });
  return { admission, runtimes, resident, kernel };
}

test("of four moves of 256 MiB that come at once, a host with room for one takes one, and says how much it has", () => {
  const { admission } = host(600);
  const granted = ["1", "2", "3", "4"].map((id) => {
    try {
      return admission.reserve(vm(id, 256));
    } catch (error) {
      return error;
    }
  });
  expect(granted.slice(1)).toMatchObject(
    [2, 3, 4].map(() => ({
      code: "DESTINATION_MEMORY_SHORT",
      message: "Host b has 184 MiB of memory available; the VM needs 416 MiB.",
    })),
  );
  (granted[0] as Disposable)[Symbol.dispose]();
  expect(admission.load().availableBytes).toBe(600 * mib);
});

test("what a VM that runs gets more counts at once, and is free again where it does not get it", () => {
  const { admission, runtimes, resident } = host(1024);
  const web = vm("web", 256);
  runtimes.push(runtime(web, 7));
  resident.set(7, 256 * mib);
  const growth = admission.reserveGrowth(web, 512);
  expect(admission.load().availableBytes).toBe(512 * mib);
  expect(() => admission.reserveGrowth(vm("db", 128), 640)).toThrow(
    "Host b has 512 MiB of memory available; the VM needs 640 MiB.",
  );
  growth[Symbol.dispose]();
  expect(admission.load().availableBytes).toBe(1024 * mib);
});

test("a VM counts once, from its grant to its end, with what its guest has not touched yet", () => {
  const { admission, runtimes, resident } = host(4096);
  const web = vm("web", 1024);
  {
    using _grant = admission.reserve(web);
    expect(admission.load().availableBytes).toBe(4096 * mib - 1024 * mib - qemuOverheadBytes);
    runtimes.push(runtime(web, 7));
    resident.set(7, 100 * mib);
    expect(admission.load().availableBytes).toBe((4096 - 924) * mib);
  }
  expect(admission.load().availableBytes).toBe((4096 - 924) * mib);
  resident.set(7, 1200 * mib); // all of it, and QEMU's own
  expect(admission.load().availableBytes).toBe(4096 * mib);
  runtimes[0] = runtime(web, null);
  expect(() => admission.reserve(vm("large", 8192))).toThrow(
    /4096 MiB of memory available; the VM needs 8352 MiB/,
  );
});

test("huge pages are given out once, and are no part of the memory that others have", () => {
  const { admission, runtimes } = host(400);
  const large = { ...vm("1", 160), hugepages: "2M" as const };
  const granted = admission.reserve(large);
  expect(admission.load()).toMatchObject({
    availableBytes: 400 * mib - qemuOverheadBytes,
    hugepages: [{ size: "2M", freePages: 20 }],
  });
  expect(() => admission.reserve({ ...vm("2", 42), hugepages: "2M" })).toThrow(
    "VM 2 needs 21 huge pages of 2M, and host b has 20 free.",
  );
  expect(() => admission.reserve({ ...vm("2", 1024), hugepages: "1G" })).toThrow("1 huge pages of 1G");
  runtimes.push(runtime(large, 7));
  expect(admission.load().hugepages).toEqual([{ size: "2M", freePages: 100 }]);
  granted[Symbol.dispose]();
});

test("huge pages that a QEMU takes while it starts are not taken off twice: another VM has the rest", () => {
  const { admission, runtimes, kernel } = host(4000);
  const huge = (id: string, pages: number) => ({ ...vm(id, pages * 2), hugepages: "2M" as const });
  const free = () => admission.load().hugepages?.[0]?.freePages;
  const first = admission.reserve(huge("1", 60));
  expect(free()).toBe(40);
  for (const freePages of [90, 60, 40]) {
    kernel.freePages = freePages;
    expect(free()).toBe(40);
  }
  const second = admission.reserve(huge("2", 40));
  expect(free()).toBe(0);
  kernel.freePages = 25;
  runtimes.push(runtime(huge("1", 60), 7));
  first[Symbol.dispose]();
  expect(free()).toBe(0);
  // The second one does not come about.
  const third = () => admission.reserve(huge("3", 10));
  expect(third).toThrow("has 0 free");
  second[Symbol.dispose]();
  kernel.freePages = 40;
  expect(free()).toBe(40);
  third();
  expect(free()).toBe(30);
});

test("memory is bound to NUMA nodes that the host has", () => {
  const { admission } = host(4000);
  const bound = (hostNode: number) => ({ ...vm("1", 64), numa: [{ vcpus: 1, memoryMib: 64, hostNode }] });
  admission.reserve(bound(1))[Symbol.dispose]();
  expect(() => admission.reserve(bound(2))).toThrow("bound to NUMA node 2, and host b has 0, 1.");
});
