/** What QEMU has of memory that was plugged in decides, as with other devices. */
import { GodwitError, withMemoryDevices, type Vm } from "@godwit/contract";
import { forgetMemory, pluggedOf, type QemuProcess } from "@godwit/hypervisor";

/** Takes out of the description what QEMU does not have, and gives it the addresses of what it has. @throws any error of QMP */
export async function settleMemory(process: QemuProcess): Promise<void> {
  const { vm } = process.spec;
  const { memoryDevices: described = [] } = vm;
  const has = await pluggedOf(process, described);
  for (const { slot } of described)
    if (!has.some((device) => device.slot === slot)) await forgetMemory(process, slot);
  if (!areSame(has, described)) await process.updateVm(withMemoryDevices(vm, has));
}

/** Whether both have the same memory. */
export const haveSameMemory = (one: Vm, other: Vm): boolean =>
  one.memoryMib === other.memoryMib && areSame(one.memoryDevices ?? [], other.memoryDevices ?? []);

const areSame = (some: NonNullable<Vm["memoryDevices"]>, others: NonNullable<Vm["memoryDevices"]>): boolean =>
  some.length === others.length &&
  some.every(({ slot, mib, addr }) =>
    others.some((one) => one.slot === slot && one.mib === mib && one.addr === addr),
  );

/** A guest goes to another QEMU only with memory of which it is known that this one has it. @throws VM_BUSY */
export function mustHaveSettledMemory({
  name,
  memoryDevices = [],
}: Pick<Vm, "name" | "memoryDevices">): void {
  if (memoryDevices.every(({ addr }) => addr !== undefined)) return;
  const what = "whether its QEMU has taken memory that was added is not found out yet";
  throw GodwitError.of("VM_BUSY", { vm: name, task: "", what });
}
