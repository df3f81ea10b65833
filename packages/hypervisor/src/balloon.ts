/**
 * A VM's memory balloon as a device of QEMU's. Its target is a part of the device's state, so that it goes along with a move and with saved
 * memory, and stays over a reset of the guest; QEMU gets it when the VM is powered on, and when it changes.
 */
import { targetMibOf, type Vm } from "@godwit/contract";
import { addressOf } from "./device-options.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** A function of the slot that its random number generator has: all other slots may be those of disks and NICs. */
export const balloonFunction = 1;
/** A dot is in no name that people choose. */
const balloonId = "memory.balloon";
const mib = 1024 * 1024;

/** A guest that runs out of memory takes it again instead of ending programs. @param slot of which it is a function */
export function balloonArguments(vm: Pick<Vm, "machine" | "balloon">, slot: number): string[] {
  if (vm.balloon === undefined) return [];
  const address = Object.entries(addressOf(vm, { slot, function: balloonFunction }));
  const options = [["id", balloonId], ["deflate-on-oom", "on"], ...address].map((option) => option.join("="));
  return ["-device", `virtio-balloon-pci,${options.join(",")}`];
}

/** Tells QEMU what the guest is to have of its memory, as its description says; of a VM without a balloon nothing. @throws any error of QMP */
export async function setMemoryTarget({ qmp, spec }: Pick<QemuProcess, "qmp" | "spec">): Promise<void> {
  const targetMib = targetMibOf(spec.vm);
  if (targetMib !== null) await qmp.execute("balloon", { value: targetMib * mib });
}

/** What the guest of a VM with a balloon has of its memory now. @throws any error of QMP */
export async function guestMemoryBytes({ qmp }: Pick<QemuProcess, "qmp">, limitMs: number): Promise<number> {
  return (await qmp.execute("query-balloon", {}, { timeoutMs: limitMs })).actual;
}
