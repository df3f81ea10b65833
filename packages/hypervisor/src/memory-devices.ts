/**
 * Memory devices (pc-dimm) of a VM, on QEMU's command line and plugged into one that runs. QEMU migrates a device's memory by the id of its
 * object and finds its state by its slot, so that both ends of a move have the same objects, slots and addresses, and what the machine was powered on
 * with stays as it was (QEMU's docs/memory-hotplug.txt).
 */
import { bootMemoryMib, memorySlots, type MemoryDevice, type Vm } from "@godwit/contract";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";

type Grown = Pick<Vm, "memoryMib" | "maxMemoryMib" | "memoryDevices">;

/** A dot is in no name that people choose. */
const deviceId = (slot: number): string => `memory.device${String(slot)}`;
const backendId = (slot: number): string => `memory.added${String(slot)}`;
const mib = 1024 * 1024;
/** The kernel makes room for all of it. */
const plugLimitMs = 60_000;

/** What the machine begins with, and what it can grow to. QEMU takes slots only where they can be used. */
export function memorySize(vm: Grown): string {
  const bootMib = bootMemoryMib(vm);
  const size = `size=${String(bootMib)}M`;
  const { maxMemoryMib = bootMib } = vm;
  return maxMemoryMib > bootMib
    ? `${size},slots=${String(memorySlots)},maxmem=${String(maxMemoryMib)}M`
    : size;
}

/** Those that were plugged into the QEMU whose state this one is to have; where each is must be known. */
export const memoryDeviceArguments = ({ memoryDevices = [] }: Grown): string[] =>
  memoryDevices.flatMap(({ slot, mib: sizeMib, addr }) => [
    ...["-object", `memory-backend-ram,id=${backendId(slot)},size=${String(sizeMib)}M`],
    "-device",
    `pc-dimm,id=${deviceId(slot)},memdev=${backendId(slot)},slot=${String(slot)},addr=${String(addr)}`,
  ]);

/** @throws any error of QMP; what is left then, `forgetMemory` removes, unless QEMU has the device */
export async function plugMemory(process: Pick<QemuProcess, "qmp">, device: MemoryDevice): Promise<void> {
  const { qmp } = process;
  const { slot } = device;
  await forgetMemory(process, slot);
  await qmp.execute(
    "object-add",
    { "qom-type": "memory-backend-ram", id: backendId(slot), size: device.mib * mib },
    { timeoutMs: plugLimitMs },
  );
  // A device has properties that the command's own description does not name.
  const options: object = { driver: "pc-dimm", id: deviceId(slot), memdev: backendId(slot), slot };
  await qmp.execute("device_add", options, { timeoutMs: plugLimitMs });
}

/** The memory of a device that is not there. */
export async function forgetMemory({ qmp }: Pick<QemuProcess, "qmp">, slot: number): Promise<void> {
  await passing(qmp.execute("object-del", { id: backendId(slot) }), /not found/i);
}

/** Of these the ones that QEMU has, with their addresses. @throws any error of QMP, Error where QEMU has another in its place */
export async function pluggedOf(
  { qmp }: Pick<QemuProcess, "qmp">,
  devices: readonly MemoryDevice[],
): Promise<MemoryDevice[]> {
  if (devices.length === 0) return [];
  const all = await qmp.execute("query-memory-devices");
  return devices.flatMap((device) => {
    const found = all.find(({ data }) => data.id === deviceId(device.slot))?.data;
    if (found === undefined) return [];
    const { addr, slot, size } = found;
    if (slot !== device.slot || size !== device.mib * mib || !Number.isSafeInteger(addr))
      throw new Error(`QEMU's memory device ${deviceId(device.slot)} is another than was plugged in`);
    return [{ ...device, addr: addr as number }];
  });
}
