/**
 * Volumes as devices of this host. One that is active stays as it was then, whatever other hosts change, so it is activated
 * for a use, and deactivated after it. Deactivating asks device-mapper alone, which needs nothing of the LUN: it works while that
 * hangs. One that is open stays.
 */
import { chmod, chown, realpath } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, run, type UserIds } from "@godwit/system";
import { seenDevices } from "./block-devices.ts";
import { lvm } from "./lvm.ts";

/** As device-mapper names a volume. Pure. */
export const deviceName = (group: string, volume: string): string =>
  `${group.replaceAll("-", "--")}-${volume.replaceAll("-", "--")}`;

export const devicePath = (group: string, volume: string): string =>
  `/dev/mapper/${deviceName(group, volume)}`;

/** Of volumes with VMs' disks: the VM's id without hyphens. Pure. */
export const vmOfDevice = (name: string): string | null =>
  /^godwit\.[0-9a-f]{32}-vol\.([0-9a-f]{32})\.[a-z0-9-]{1,48}$/.exec(name)?.[1] ?? null;

export async function isActive(group: string, volume: string): Promise<boolean> {
  const name = deviceName(group, volume);
  return (await seenDevices()).some(({ dmName }) => dmName === name);
}

/** @returns the device itself, `/dev/dm-3`. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function activate(device: string, group: string, volume: string): Promise<string> {
  await lvm(
    device,
    ["lvchange", "--activate", "y", "--yes", `${group}/${volume}`],
    `activating volume ${volume}`,
  );
  return await realpath(devicePath(group, volume));
}

/** As the LUN has it now: one that was left active is deactivated before. @throws PROGRAM_FAILED when it is open */
export async function activateAfresh(device: string, group: string, volume: string): Promise<string> {
  await deactivate(deviceName(group, volume));
  return await activate(device, group, volume);
}

/** @returns nothing also where it is not active. @throws PROGRAM_FAILED when it is open */
export async function deactivate(name: string): Promise<void> {
  const isThere = async () => (await seenDevices()).some(({ dmName }) => dmName === name);
  if (!(await isThere())) return;
  try {
    // udev may be looking at it.
    await run("dmsetup", ["remove", "--retry", name], { what: `deactivating ${name}` });
  } catch (error) {
    if (GodwitError.is(error, "PROGRAM_FAILED") && !(await isThere())) return;
    throw error;
  }
}

/** @returns whether it is: false where something here has it open */
export async function deactivated(name: string): Promise<boolean> {
  try {
    await deactivate(name);
    return true;
  } catch (error) {
    if (GodwitError.is(error, "PROGRAM_FAILED") && isBusy(error)) return false;
    throw error;
  }
}

/** Whether device-mapper refuses since a device is open. */
export const isBusy = (error: unknown): boolean =>
  /[Dd]evice or resource busy/.test(error instanceof Error ? error.message : "");

/** Closes it to all but QEMU's user. @param path of the device itself */
export async function giveDevice(path: string, { uid, gid }: UserIds): Promise<void> {
  await chown(path, uid, gid);
  await chmod(path, 0o600);
}

/** Lets go on what waits for a VM's volume whose table was being changed by a program that was ended. */
export async function resumeSuspended(): Promise<void> {
  for (const { name, dmName } of await seenDevices()) {
    if (dmName === null || vmOfDevice(dmName) === null) continue;
    const suspended = await readFileOrNull(`/sys/class/block/${name}/dm/suspended`);
    if (suspended?.trim() === "1") await run("dmsetup", ["resume", dmName], { what: `resuming ${dmName}` });
  }
}

/** All volumes of a VM. @throws PROGRAM_FAILED when one is open */
export async function deactivateOf(vmId: string): Promise<void> {
  const id = vmId.replaceAll("-", "");
  for (const { dmName } of await seenDevices())
    if (dmName !== null && vmOfDevice(dmName) === id) await deactivate(dmName);
}

/**
 * Deactivates VMs' volumes that no VM here needs.
 * @param needed ids of VMs
 * @returns why some stay
 */
export async function deactivateStray(needed: ReadonlySet<string>): Promise<unknown[]> {
  const ids = new Set([...needed].map((id) => id.replaceAll("-", "")));
  const stray = (await seenDevices()).flatMap(({ dmName }) => {
    const vm = dmName === null ? null : vmOfDevice(dmName);
    return dmName === null || vm === null || ids.has(vm) ? [] : [dmName];
  });
  const ends = await Promise.allSettled(stray.map(deactivate));
  return ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
}
