/**
 * Memory that is plugged into a VM that runs. The description has the device before QEMU does, without an address: whoever comes after a crash
 * takes out again what QEMU does not have, and writes the address of what it has (`settle-memory.ts`). Until then the VM goes to no other QEMU.
 */
import {
  GodwitError,
  memoryGrowth,
  withMemoryDevices,
  type GrowthProblem,
  type MemoryDevice,
  type Vm,
} from "@godwit/contract";
import { plugMemory, type QemuProcess } from "@godwit/hypervisor";
import { saveVm, type Datastore } from "@godwit/storage";
import type { Logger } from "pino";
import type { AgentConfig } from "../../config.ts";
import type { Environment } from "../environment.ts";
import type { MemoryAdmission } from "../memory-admission.ts";
import { raiseMemoryLimit } from "../memory-limit.ts";
import { plugFailed } from "./plug-disk.ts";
import { settleRunning } from "./settle.ts";

export interface MemoryParts {
  config: Pick<AgentConfig, "name">;
  environment: Environment;
  memory: Pick<MemoryAdmission, "reserveGrowth">;
  log: Logger;
}

/**
 * What an earlier growth has left is settled before.
 * @param vm as `vm.json` has it
 * @returns the device that makes the wanted size; null: it has that size @throws VM_MEMORY_FIXED
 */
export function memoryToPlug(vm: Vm, wantedMib: number, isEmulated: boolean): MemoryDevice | null {
  const growth = memoryGrowth(vm, wantedMib);
  if (growth === null) return null;
  if ("problem" in growth) throw memoryFixed(vm, growth.problem, wantedMib);
  // QEMU from 9.0 on takes places in any block of an emulated guest's memory for places in its first when it looks what a move has to send
  // again: changes are lost, or it ends itself (tlb_reset_dirty_range_all, seen with 10.0.2).
  if (isEmulated) throw memoryFixed(vm, "emulated", wantedMib);
  return growth.device;
}

function memoryFixed(vm: Vm, reason: GrowthProblem, wantedMib: number): GodwitError {
  const { name, memoryMib: nowMib, maxMemoryMib: maxMib = null } = vm;
  return GodwitError.of("VM_MEMORY_FIXED", { vm: name, reason, nowMib, wantedMib, maxMib });
}

/** @throws DESTINATION_MEMORY_SHORT, DEVICE_PLUG_FAILED, SPACE_SHORT */
export async function addMemory(
  parts: MemoryParts,
  { vm, home, process }: { vm: Vm; home: Datastore; process: QemuProcess },
  device: MemoryDevice,
): Promise<Vm> {
  using _memory = parts.memory.reserveGrowth(vm, device.mib);
  const next = withMemoryDevices(vm, [...(vm.memoryDevices ?? []), device]);
  const failed = (error: unknown) =>
    plugFailed(vm, `${String(device.mib)} MiB of memory`, parts.config.name, error);
  await raiseMemoryLimit(process, next).catch((error: unknown) => {
    throw failed(error);
  });
  let failure: unknown = new Error("it has not kept it");
  try {
    await saveVm(home, next);
    await process.updateVm(withMemoryDevices(process.spec.vm, next.memoryDevices ?? []));
    await plugMemory(process, device);
  } catch (error) {
    failure = error;
  }
  // An answer may have been lost, and it was done.
  const now = await settleRunning(parts, process, home);
  if (now.memoryMib !== next.memoryMib)
    throw GodwitError.is(failure) && !GodwitError.is(failure, "QMP_REFUSED") ? failure : failed(failure);
  return now;
}
