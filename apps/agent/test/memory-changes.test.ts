/**
 * Memory that is added to a VM that runs: wherever in that the agent is killed, the next one finds out what QEMU has, and its two
 * descriptions say just that. Until it is known the VM goes to no other QEMU.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, memoryDeviceProblems, vmSchema, type Vm } from "@godwit/contract";
import { vmLimits, type QemuProcess } from "@godwit/hypervisor";
import { Datastore, markDatastore, readVm, saveVm } from "@godwit/storage";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addMemory, memoryToPlug, type MemoryParts } from "../src/vms/devices/memory-changes.ts";
import { mustHaveSettledMemory } from "../src/vms/devices/settle-memory.ts";
import { settleRunning } from "../src/vms/devices/settle.ts";
import { raiseMemoryLimit } from "../src/vms/memory-limit.ts";

const mib = 1024 * 1024;
const vm: Vm = vmSchema.parse({
  ...{ version: 2, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 512, maxMemoryMib: 2048, vcpus: 1, cpu: { model: "qemu64-v1" } },
  ...{ machine: "pc-q35-7.2", disks: [], nics: [] },
});

class Killed extends Error {}

/** QEMU, and what is noted beside it: both outlive an agent. */
let qemu: {
  backends: Map<string, number>;
  devices: Map<string, { slot: number; memdev: string }>;
  noted: Vm;
};
let folder: string;
let datastore: Datastore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-memory-"));
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  datastore = await Datastore.open(config, "a");
  await mkdir(join(folder, vm.name));
  await started();
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function started(): Promise<void> {
  await saveVm(datastore, vm);
  qemu = { backends: new Map(), devices: new Map(), noted: vm };
}

interface Agent {
  /** After so many effects it is killed. */
  effects?: number;
  /** What is done, and whose answer is lost. */
  loses?: string;
  refuses?: string;
}

const refused = (command: string, text: string) =>
  GodwitError.of("QMP_REFUSED", { command, reason: text, class: "GenericError" });

/** One agent's life. */
function agent({ effects = Number.POSITIVE_INFINITY, loses, refuses }: Agent = {}) {
  let left = effects;
  const effect = () => {
    if (left-- <= 0) throw new Killed();
  };
  const answers: Record<string, (args: Record<string, unknown>) => unknown> = {
    "qom-list": () => [...qemu.devices.keys()].map((name) => ({ name })),
    "query-memory-devices": () =>
      [...qemu.devices].map(([id, { slot, memdev }]) => ({
        data: { id, slot, size: qemu.backends.get(memdev), addr: 2 ** 32 + slot * 2 ** 30 },
      })),
    "object-add": ({ id, size }) => {
      effect();
      if (qemu.backends.has(id as string)) throw refused("object-add", "attempt to add duplicate property");
      qemu.backends.set(id as string, size as number);
    },
    "object-del": ({ id }) => {
      effect();
      if (!qemu.backends.delete(id as string))
        throw refused("object-del", `object '${String(id)}' not found`);
    },
    device_add: ({ id, slot, memdev }) => {
      effect();
      qemu.devices.set(id as string, { slot: slot as number, memdev: memdev as string });
    },
  };
  const process = {
    identity: { pid: 0 },
    get spec() {
      return { vm: qemu.noted, accelerator: "tcg", diskPaths: {}, taps: [] };
    },
    qmp: {
      execute: async (command: string, args: Record<string, unknown> = {}) => {
        if (command === refuses) throw refused(command, "no");
        const answer = answers[command]?.(args) ?? {};
        if (command === loses) throw GodwitError.of("QMP_INTERRUPTED", { command, reason: "lost" });
        return answer;
      },
    },
    updateVm: async (noted: Vm) => {
      effect();
      qemu.noted = noted;
    },
  } as unknown as QemuProcess;
  const home = Object.assign(Object.create(datastore) as Datastore, {
    resolve: (path: string) => {
      effect();
      return datastore.resolve(path);
    },
  });
  const parts = {
    config: { name: "a" },
    memory: { reserveGrowth: () => ({ [Symbol.dispose]: () => undefined }) },
    log: pino({ level: "silent" }),
  } as unknown as MemoryParts;
  return {
    process,
    settle: () => settleRunning(parts, process, home),
    grow: async (wantedMib: number) => {
      const now = await settleRunning(parts, process, home);
      const device = memoryToPlug(now, wantedMib, false);
      return device === null ? now : await addMemory(parts, { vm: now, home, process }, device);
    },
  };
}

const written = async () => await readVm(datastore, vm.name);

/** Both descriptions say what QEMU has, and nothing is left of what it has not. */
async function isAsQemu(): Promise<Vm> {
  const now = await written();
  expect(qemu.noted).toEqual(now);
  const sizes = [...qemu.devices.values()].map(({ slot, memdev }) => ({
    ...{ slot, mib: (qemu.backends.get(memdev) ?? 0) / mib, addr: 2 ** 32 + slot * 2 ** 30 },
  }));
  expect(now.memoryDevices ?? []).toEqual(sizes);
  expect(qemu.backends.size).toBe(qemu.devices.size);
  expect(now.memoryMib).toBe(vm.memoryMib + sizes.reduce((all, one) => all + one.mib, 0));
  expect(memoryDeviceProblems(now)).toEqual([]);
  return now;
}

test("memory is added twice, each time in a slot of its own, and its address is known; asked again for the same, nothing is", async () => {
  await agent().grow(1024);
  await agent().grow(1152);
  await agent().grow(1152);
  expect((await isAsQemu()).memoryDevices).toMatchObject([
    { slot: 0, mib: 512 },
    { slot: 1, mib: 128 },
  ]);
  await expect(agent().grow(1024)).rejects.toMatchObject({ code: "VM_MEMORY_FIXED" });
  await expect(agent().grow(4096)).rejects.toThrow("its maximum is 2048 MiB");
  await isAsQemu();
});

test("no memory is added to an emulated guest, of which QEMU would lose sight in a move", () => {
  expect(() => memoryToPlug(vm, 1024, true)).toThrow("it is emulated");
  expect(memoryToPlug(vm, vm.memoryMib, true)).toBeNull();
});

test("killed anywhere, the next agent's look brings all to what QEMU has, and asked again it has the memory", async () => {
  let kills = 0;
  for (let effects = 0; ; effects++) {
    await started();
    const outcome = await agent({ effects })
      .grow(1024)
      .catch((error: unknown) => error);
    if (!(outcome instanceof Killed)) break;
    kills++;
    // Until an agent has looked, a VM of which it is not known what it has goes nowhere.
    const has = qemu.devices.size === (qemu.noted.memoryDevices ?? []).length;
    if (!has)
      expect(() => {
        mustHaveSettledMemory(qemu.noted);
      }).toThrow(/not found out yet/);
    await agent().settle();
    const settled = await isAsQemu();
    mustHaveSettledMemory(settled);
    expect([512, 1024]).toContain(settled.memoryMib);
    await agent().grow(1024);
    expect((await isAsQemu()).memoryMib).toBe(1024);
  }
  expect(kills).toBeGreaterThan(5);
  expect((await isAsQemu()).memoryMib).toBe(1024);
});

test("an answer that is lost after it was done counts as done; what QEMU refuses leaves nothing", async () => {
  expect(await agent({ loses: "device_add" }).grow(1024)).toMatchObject({ memoryMib: 1024 });
  await isAsQemu();
  for (const refuses of ["object-add", "device_add"]) {
    await expect(agent({ refuses }).grow(1536)).rejects.toMatchObject({ code: "DEVICE_PLUG_FAILED" });
    expect((await isAsQemu()).memoryMib).toBe(1024);
  }
  await expect(agent({ loses: "object-add" }).grow(1536)).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
  expect((await isAsQemu()).memoryMib).toBe(1024);
});

test("a device of another size than was plugged in is no device of the VM's, and is not described as one", async () => {
  await agent().grow(1024);
  qemu.backends.set("memory.added0", 4 * mib);
  await expect(agent().settle()).rejects.toThrow("is another than was plugged in");
  expect((await written()).memoryMib).toBe(1024);
});

test("the limit of a VM's unit is raised to what it then needs, never lowered, and where it stays lower that is told", async () => {
  const process = { identity: { pid: 7 }, spec: { accelerator: "kvm" } } as unknown as QemuProcess;
  const grown = { ...vm, memoryMib: 2048 };
  const needed = vmLimits({ vm: grown, accelerator: "kvm" }).memoryMaxBytes;
  const unit = (maxBytes: number | null, takes = true) => {
    const has = { unit: "u.service", maxBytes };
    const sets: number[] = [];
    const set = async (_: string, bytes: number) => {
      sets.push(bytes);
      if (takes) has.maxBytes = bytes;
    };
    return { sets, units: { of: () => has, set, appliedWithinMs: 1 } };
  };
  for (const enough of [null, needed, needed + 1]) {
    const { sets, units } = unit(enough);
    await raiseMemoryLimit(process, grown, units);
    expect(sets).toEqual([]);
  }
  const lower = unit(needed - 1);
  await raiseMemoryLimit(process, grown, lower.units);
  expect(lower.sets).toEqual([needed]);
  await expect(raiseMemoryLimit(process, grown, unit(1, false).units)).rejects.toThrow("could not be raised");
  const nowhere = () => {
    throw new Error("it runs in no unit of its own");
  };
  await raiseMemoryLimit(process, grown, { ...lower.units, of: nowhere });
});
