/** USB devices of the host that a running VM has leave it. */
import type { HostDeviceDescription, Vm } from "@godwit/contract";
import { hostDeviceId, unplug, type QemuProcess } from "@godwit/hypervisor";
import { takeBack } from "../host-devices.ts";
import { keptByGuest, unplugLimitMs } from "./disk-changes.ts";

/** @throws DEVICE_KEPT_BY_GUEST, QMP_REFUSED */
export async function takeHostDevices(
  process: QemuProcess,
  vm: Vm,
  after: readonly HostDeviceDescription[],
): Promise<void> {
  for (const device of vm.hostDevices ?? []) {
    if (after.some(({ name }) => name === device.name)) continue;
    if (!(await unplug(process, hostDeviceId(device), unplugLimitMs))) throw keptByGuest(vm, device.name);
    const { user } = process.spec;
    const given = process.spec.hostDevices?.find(({ name }) => name === device.name);
    // Its file stays visible to QEMU, which must not open it again. A user that VMs share may have it for another by now.
    if (given !== undefined && user?.sharedBecause === null) await takeBack(given.node, user.uid);
  }
}
