/**
 * What QEMU has decides: a device that it does not have is in no description, whoever was cut off while it came or went, and also where
 * a guest lets one go that it had kept when it was asked.
 */
import { nicNumber, type Vm } from "@godwit/contract";
import {
  deviceIds,
  forgetDisk,
  forgetNic,
  nicDeviceId,
  setLinks,
  type QemuProcess,
} from "@godwit/hypervisor";
import { readVm, saveVm, type Datastore } from "@godwit/storage";
import { tapsFor } from "../environment.ts";
import { dropped, onlyNic } from "./device-description.ts";
import type { DevicesParts } from "./parts.ts";
import { noteLostVolumes } from "./settle-disks.ts";
import { haveSameMemory, settleMemory } from "./settle-memory.ts";

/** Brings both descriptions, links and what QEMU sees of the host to what QEMU has. @returns the VM @throws any error of QMP and of storage */
export async function settleRunning(
  { environment, log }: Pick<DevicesParts, "environment" | "log">,
  process: QemuProcess,
  home: Datastore,
): Promise<Vm> {
  await settleMemory(process);
  const { spec } = process;
  const ids = await deviceIds(process);
  const disks = spec.vm.disks.filter(({ name }) => !ids.has(name));
  const nics =
    spec.namedNics === true
      ? spec.vm.nics.filter((_, position) => !ids.has(nicDeviceId(spec.vm, position)))
      : [];
  for (const { name } of disks) await forgetDisk(process, name, spec.diskPaths[name]);
  for (const nic of nics) {
    await forgetNic(process, nicNumber(nic, spec.vm.nics.indexOf(nic)));
    await environment.deleteTaps(onlyNic(spec.vm, nic.mac));
  }
  if (disks.length + nics.length > 0) {
    const vm = dropped(spec.vm, new Set(disks.map(({ name }) => name)), new Set(nics.map(({ mac }) => mac)));
    const diskPaths = Object.fromEntries(
      Object.entries(spec.diskPaths).filter(([name]) => vm.disks.some((disk) => disk.name === name)),
    );
    await process.updateDevices({ vm, diskPaths, taps: tapsFor(vm).taps });
    log.warn(
      { vm: vm.name, disks: disks.map(({ name }) => name), nics: nics.map(({ mac }) => mac) },
      "QEMU does not have these devices any more: they are no part of the VM's description from now on",
    );
  }
  const stored = await readVm(home, spec.vm.name);
  const now = process.spec.vm;
  const has = new Set(now.disks.map(({ name }) => name));
  const macs = new Set(now.nics.map(({ mac }) => mac));
  const lostDisks = new Set(stored.disks.flatMap(({ name }) => (has.has(name) ? [] : [name])));
  const lostNics = new Set(stored.nics.flatMap(({ mac }) => (macs.has(mac) ? [] : [mac])));
  if (lostDisks.size + lostNics.size === 0 && haveSameMemory(stored, now)) {
    await setLinks(process, stored);
    return stored;
  }
  const { memoryDevices: _before, ...rest } = dropped(stored, lostDisks, lostNics);
  const { memoryMib, memoryDevices } = now;
  const vm: Vm = { ...rest, memoryMib, ...(memoryDevices === undefined ? {} : { memoryDevices }) };
  await noteLostVolumes(
    home,
    stored,
    stored.disks.filter(({ name }) => lostDisks.has(name)),
  );
  await saveVm(home, vm);
  await setLinks(process, vm);
  return vm;
}
