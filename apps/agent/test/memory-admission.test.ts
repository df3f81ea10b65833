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
  const admission = new MemoryAdmission({
    host: "b",
    processes: { runtimes },
    load: () => ({ availableBytes: availableMib * mib, pressurePercent: null }),
    residentBytes: (pid) => resident.get(pid) ?? null,
  });
  return { admission, runtimes, resident };
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
