/** The devices of this host that a VM has for itself: found, given to its user, and taken back. */
import { chown, realpath, stat } from "node:fs/promises";
import {
  GodwitError,
  hostDeviceProblem,
  hostDeviceText,
  sameHostDevice,
  type HostDevice,
  type HostDeviceDescription,
  type HostDeviceFacts,
  type Vm,
} from "@godwit/contract";
import { readAppArmor, type LaunchSpec } from "@godwit/hypervisor";
import type { UserIds } from "@godwit/system";
import { hostDeviceFacts } from "./host-device-facts.ts";
import { hostUseOfUsb } from "./host-use-of-usb.ts";
import { reasonOf } from "../reason.ts";

const details = (vm: string, host: string, device: HostDeviceDescription) => ({
  ...{ vm, host, name: device.name, device: hostDeviceText(device) },
});

/** As `vm.json` says them; those that the VM has already stay as they are. @throws HOST_DEVICE_MISSING */
export function foundHostDevices(
  devices: readonly HostDeviceDescription[],
  { vm, host, has = [] }: { vm: string; host: string; has?: readonly HostDevice[] | undefined },
): HostDevice[] {
  const facts = devices.length === 0 ? { pci: [], usb: [] } : hostDeviceFacts();
  return devices.map((device) => {
    const had = sameHostDevice(has, device);
    if (had !== null) return had;
    const missing = () => GodwitError.of("HOST_DEVICE_MISSING", details(vm, host, device));
    if (hostDeviceProblem(device, facts) === "missing") throw missing();
    if ("usb" in device) return device;
    const id = facts.pci.find(({ address }) => address === device.pci)?.id;
    if (id === undefined) throw missing();
    return { ...device, id };
  });
}

/** @throws HOST_DEVICE_MISSING, HOST_DEVICE_UNUSABLE */
export function mustBeUsable(
  device: HostDevice,
  facts: HostDeviceFacts,
  of: { vm: string; host: string },
): void {
  const problem = hostDeviceProblem(device, facts);
  if (problem === "missing") throw GodwitError.of("HOST_DEVICE_MISSING", details(of.vm, of.host, device));
  if (problem !== null) throw unusable(device, of, problem.reason);
}

/** @param reason the end of a sentence */
export const unusable = (
  device: HostDevice,
  { vm, host }: { vm: string; host: string },
  reason: string,
  cause?: unknown,
): GodwitError => GodwitError.of("HOST_DEVICE_UNUSABLE", { ...details(vm, host, device), reason }, { cause });

/** The files by which QEMU gets at them, which become its user's. What has changed since they were reserved is found. @throws HOST_DEVICE_MISSING, HOST_DEVICE_UNUSABLE */
export async function giveHostDevices(
  { name: vm, hostDevices = [] }: Pick<Vm, "name" | "hostDevices">,
  { uid, gid }: UserIds,
  host: string,
  look: () => HostDeviceFacts = hostDeviceFacts,
): Promise<Pick<LaunchSpec, "hostDevices">> {
  if (hostDevices.length === 0) return {};
  const facts = look();
  const given: NonNullable<LaunchSpec["hostDevices"]> = [];
  for (const device of hostDevices) {
    mustBeUsable(device, facts, { vm, host });
    const node = nodeOf(device, facts);
    if (node === null) throw GodwitError.of("HOST_DEVICE_MISSING", details(vm, host, device));
    if ("usb" in device) await mustBeFree(device, facts, { vm, host });
    const link = "pci" in device ? `/sys/bus/pci/devices/${device.pci}` : null;
    try {
      await chown(node, uid, gid);
      given.push({ name: device.name, node, sysfs: link === null ? [] : [link, await realpath(link)] });
    } catch (error) {
      throw unusable(device, { vm, host }, reasonOf(error).replace(/\.$/, ""), error);
    }
  }
  return { hostDevices: given };
}

/** @throws HOST_DEVICE_UNUSABLE */
async function mustBeFree(
  device: HostDevice & { usb: string },
  { usb }: HostDeviceFacts,
  of: { vm: string; host: string },
): Promise<void> {
  // libusb listens to the kernel's messages before it opens a device, and the profile has no sockets for that.
  const { profile } = await readAppArmor();
  if (profile !== null)
    throw unusable(device, of, `under AppArmor's profile ${profile} QEMU cannot use USB devices`);
  const found = usb.find(({ id }) => id === device.usb);
  const use = found === undefined ? null : await hostUseOfUsb(found);
  if (use !== null) throw unusable(device, of, use);
}

/** Those that a VM's user has are root's again; what is another's by now, or gone, stays. @param user of the VM's own */
export async function takeBackHostDevices(
  devices: readonly HostDevice[],
  { uid }: Pick<UserIds, "uid">,
  look: () => HostDeviceFacts = hostDeviceFacts,
): Promise<void> {
  const facts = devices.length === 0 ? { pci: [], usb: [] } : look();
  const nodes = devices.map((device) => nodeOf(device, facts)).filter((node) => node !== null);
  for (const node of new Set(nodes)) await takeBack(node, uid);
}

export async function takeBack(node: string, uid: number): Promise<void> {
  const found = await stat(node).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  });
  if (found?.uid === uid) await chown(node, 0, 0);
}

/** Null: it is not there, or not the only one, or there is no IOMMU. */
function nodeOf(device: HostDevice, { pci, usb }: HostDeviceFacts): string | null {
  if ("pci" in device) {
    const group = pci.find(({ address }) => address === device.pci)?.group ?? null;
    return group === null ? null : `/dev/vfio/${String(group)}`;
  }
  const [found, another] = usb.filter(({ id }) => id === device.usb);
  if (found === undefined || another !== undefined) return null;
  const three = (number: number) => String(number).padStart(3, "0");
  return `/dev/bus/usb/${three(found.bus)}/${three(found.device)}`;
}

/** A suspension, and a snapshot with memory, leave out what is in a device. @throws HOST_DEVICE_UNSAVABLE */
export function mustBeSavable(
  { name: vm, hostDevices = [] }: Pick<Vm, "name" | "hostDevices">,
  host: string,
): void {
  const [device] = hostDevices;
  if (device === undefined) return;
  throw GodwitError.of("HOST_DEVICE_UNSAVABLE", { ...details(vm, host, device), usb: "usb" in device });
}

/** Whether this is what can be done while the VM runs: USB devices go, and nothing else is other than it is. */
export const onlyTakesUsb = (
  before: readonly HostDevice[],
  after: readonly HostDeviceDescription[],
): boolean =>
  after.every(({ name }) => before.some((one) => one.name === name)) &&
  before.every((one) => {
    const same = after.find(({ name }) => name === one.name);
    if (same === undefined) return "usb" in one;
    return "usb" in one ? "usb" in same && same.usb === one.usb : "pci" in same && same.pci === one.pci;
  });
