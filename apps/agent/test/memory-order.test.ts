/** A QEMU of an emulated guest that was started with a smaller NUMA node first is not made to send its memory. The process is a real one, with such arguments. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { vmSchema } from "@godwit/contract";
import { commandLine, type LaunchSpec, type QemuProcess } from "@godwit/hypervisor";
import { processArguments, until } from "@godwit/system";
import { expect, test } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { Processes } from "../src/qemu/processes.ts";
import { isOutOfOrder, mustBeOrdered } from "../src/qemu/memory-order.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 2, cpu: { model: "max" }, machine: "pc-q35-7.2", disks: [], nics: [] },
  numa: [
    { vcpus: 1, memoryMib: 16 },
    { vcpus: 1, memoryMib: 48 },
  ],
});
const [small = "", large = ""] = [0, 1].map(
  (node) => `memory-backend-ram,id=guest.memory${String(node)},size=${node === 0 ? "16" : "48"}M`,
);
const spec: LaunchSpec = {
  ...{ vm, accelerator: "tcg", incoming: true, diskPaths: {}, luns: {}, mediumPaths: {} },
  ...{ taps: [], kernelPath: null, initrdPath: null },
};

/** @returns whether such a QEMU may send its memory, or the code of why not */
async function asked(argv: readonly string[], more: Partial<LaunchSpec> = {}, version = "10.0.2") {
  await using stack = new AsyncDisposableStack();
  const child = spawn("sh", ["-c", "read line", "qemu", ...argv], { stdio: ["pipe", "ignore", "ignore"] });
  const gone = once(child, "exit");
  stack.defer(async () => {
    child.stdin.end();
    await gone;
  });
  const { pid = 0 } = child;
  const hasArguments = async () => (await processArguments(pid))?.includes("qemu") === true;
  expect(await until(hasArguments, { everyMs: 20, limitMs: 60_000 })).toBe(true);
  const identity = { pid, startTicks: 0 };
  const asks = { ...{ identity, spec: { ...spec, ...more } }, version: () => Promise.resolve(version) };
  const answer = await mustBeOrdered(asks).then(
    () => "may",
    (error: unknown) => (error as { code: string }).code,
  );
  // What its host reports of it is the same.
  const processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  processes.add(
    {
      ...{ ...asks, vmId: vm.id, startedAt: "", user: { uid: 990, gid: 990 } },
      onEvent: () => ({ [Symbol.dispose]: () => undefined }),
      ended: new Promise(() => undefined),
    } as unknown as QemuProcess,
    "running",
  );
  expect(await isOutOfOrder(asks)).toBe(answer !== "may");
  const isReported = () => processes.runtimes[0]?.memoryOutOfOrder === true;
  if (answer === "may") expect(isReported()).toBe(false);
  else expect(await until(isReported, { everyMs: 20, limitMs: 60_000 })).toBe(true);
  return answer;
}

test("with the smaller node first it may not, but for QEMUs and guests that do not end over it", async () => {
  const before = ["-object", small, "-object", large];
  expect(await asked(before)).toBe("VM_MEMORY_ORDER");
  expect(await asked(before, {}, "7.2.22")).toBe("may");
  expect(await asked(before, { accelerator: "kvm" })).toBe("may");
  const { numa: _, ...flat } = vm;
  expect(await asked([], { vm: flat })).toBe("may");
});

test("as this version starts it, it may", async () => {
  const now = commandLine(spec);
  expect(now.filter((word) => [small, large].includes(word))).toEqual([large, small]);
  expect(await asked(now)).toBe("may");
});
