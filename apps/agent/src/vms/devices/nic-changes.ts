/**
 * NICs that come to a VM, leave it, or change. Which it is is said by its MAC address. The description is changed before QEMU and the
 * bridges are, so that whoever comes after a crash brings these to it, or takes back what QEMU does not have (`settle.ts`).
 */
import { GodwitError, type DeviceChange, type Vm } from "@godwit/contract";
import {
  forgetNic,
  nicDeviceId,
  plugNic,
  setLinks,
  unplug,
  type LaunchUser,
  type QemuProcess,
} from "@godwit/hypervisor";
import { saveVm } from "@godwit/storage";
import { tapsFor } from "../environment.ts";
import { onlyNic, withNic, withNicSet, withoutNic } from "./device-description.ts";
import { keptByGuest, unplugLimitMs } from "./disk-changes.ts";
import type { DevicesParts, HeldVm } from "./parts.ts";
import { plugFailed } from "./plug-disk.ts";
import { settleRunning } from "./settle.ts";

type Change<What extends DeviceChange["what"]> = Extract<DeviceChange, { what: What }>;

/** @throws DEVICES_TOO_MANY, DEVICE_HAS_NO_PLACE, DEVICE_PLUG_FAILED, NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE, NETWORK_FILTER_MISSING */
export async function addNic(
  parts: DevicesParts,
  { vm, home, process }: HeldVm,
  { nic }: Change<"addNic">,
  places: boolean,
): Promise<Vm> {
  if (vm.nics.some(({ mac }) => mac === nic.mac)) return vm;
  await parts.environment.checkPortGroups([nic]);
  const next = withNic(vm, nic, { running: process !== null, ports: process !== null || places });
  await saveVm(home, next);
  if (process === null) return next;
  const { diskPaths } = process.spec;
  const { taps } = tapsFor(next);
  await process.updateDevices({ vm: next, diskPaths, taps });
  const position = next.nics.length - 1;
  try {
    await parts.environment.createTaps(onlyNic(next, nic.mac), await userOf(parts, process));
    await plugNic(process, next, position, taps[position]?.interfaceName ?? "");
    return next;
  } catch (error) {
    const now = await settleRunning(parts, process, home);
    if (now.nics.some(({ mac }) => mac === nic.mac)) return now;
    if (GodwitError.is(error) && !GodwitError.is(error, "QMP_REFUSED")) throw error;
    throw plugFailed(vm, `NIC ${nic.mac}`, parts.config.name, error);
  }
}

/** @throws DEVICE_NOT_REMOVABLE, DEVICE_KEPT_BY_GUEST */
export async function removeNic(
  { environment }: DevicesParts,
  { vm, home, process }: HeldVm,
  { mac }: Change<"removeNic">,
): Promise<Vm> {
  const position = vm.nics.findIndex((nic) => nic.mac === mac);
  if (position === -1) return vm;
  const named = process?.spec.namedNics === true;
  const next = withoutNic(vm, mac, { running: process !== null, named });
  if (process !== null) {
    if (!(await unplug(process, nicDeviceId(vm, position), unplugLimitMs)))
      throw keptByGuest(vm, `NIC ${mac}`);
    const only = onlyNic(vm, mac);
    await forgetNic(process, only.nics[0]?.number ?? 0);
    await environment.deleteTaps(only);
    const { diskPaths } = process.spec;
    await process.updateDevices({ vm: next, diskPaths, taps: tapsFor(next).taps });
  }
  await saveVm(home, next);
  return next;
}

/** Done again, it is as it was. @throws NIC_UNKNOWN, NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE, NETWORK_BRIDGE_MISSING */
export async function setNic(
  parts: DevicesParts,
  { vm, home, process }: HeldVm,
  { mac, portGroup, connected }: Change<"setNic">,
): Promise<Vm> {
  if (!vm.nics.some((nic) => nic.mac === mac))
    throw GodwitError.of("NIC_UNKNOWN", { vm: vm.name, nic: mac, known: vm.nics.map((nic) => nic.mac) });
  const { environment } = parts;
  const next = withNicSet(vm, mac, { portGroup, connected });
  await environment.checkPortGroups(portGroup === undefined ? onlyNic(next, mac).nics : [{ portGroup }]);
  await describe(home, process, next);
  if (process === null) return next;
  const user = await userOf(parts, process);
  try {
    await environment.moveTaps(onlyNic(next, mac), user);
    await setLinks(process, next);
  } catch (error) {
    await describe(home, process, vm);
    await environment.moveTaps(onlyNic(vm, mac), user);
    await setLinks(process, vm);
    throw error;
  }
  await process.migration.announce();
  return next;
}

async function describe(home: HeldVm["home"], process: QemuProcess | null, vm: Vm): Promise<void> {
  await saveVm(home, vm);
  await process?.updateVm(vm);
}

const userOf = async ({ environment }: DevicesParts, { spec }: QemuProcess): Promise<LaunchUser> =>
  spec.user ?? (await environment.users.shared("it was started by a version that has one user for all VMs"));
