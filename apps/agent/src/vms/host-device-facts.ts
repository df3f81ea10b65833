/** PCI and USB devices of this host, as sysfs has them. Bridges and hubs are left out. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { hostDeviceFactsSchema, type HostDeviceFacts } from "@godwit/contract";

const pciFolder = "/sys/bus/pci/devices";
const usbFolder = "/sys/bus/usb/devices";

const { pci: pciSchema, usb: usbSchema } = hostDeviceFactsSchema.shape;

/** A device may go while it is looked at: then it is left out, as is what is no device of the form that devices have. */
export const hostDeviceFacts = (): HostDeviceFacts => ({
  pci: entries(pciFolder)
    .flatMap((address) => pciSchema.element.safeParse(pciDevice(address)).data ?? [])
    .slice(0, 1024),
  usb: entries(usbFolder)
    .flatMap((name) => usbSchema.element.safeParse(usbDevice(name)).data ?? [])
    .slice(0, 256),
});

const entries = (folder: string): string[] => orNull(() => readdirSync(folder).sort()) ?? [];

function pciDevice(address: string): unknown {
  const folder = join(pciFolder, address);
  const read = (name: string) =>
    orNull(() => readFileSync(join(folder, name), "utf8").trim().replace(/^0x/, ""));
  const link = (name: string) => orNull(() => basename(readlinkSync(join(folder, name))));
  if (read("class")?.startsWith("06") !== false) return null;
  const group = link("iommu_group");
  return {
    ...{ address, id: `${String(read("vendor"))}:${String(read("device"))}`, driver: link("driver") },
    group: group === null ? null : Number(group),
  };
}

function usbDevice(name: string): unknown {
  const read = (file: string) => orNull(() => readFileSync(join(usbFolder, name, file), "utf8").trim());
  if (read("bDeviceClass") === "09") return null;
  // What a device says of itself is anybody's text.
  const product = (read("product") ?? "").replaceAll(/[^\x20-\x7e]/g, "").slice(0, 126);
  return {
    ...{ id: `${String(read("idVendor"))}:${String(read("idProduct"))}` },
    ...{ bus: Number(read("busnum") ?? Number.NaN), device: Number(read("devnum") ?? Number.NaN) },
    ...(product === "" ? {} : { product }),
  };
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
