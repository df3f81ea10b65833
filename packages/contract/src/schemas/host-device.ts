/**
 * Devices of its host that a VM has for itself (PCI by VFIO, USB). Such a device is in one host, so that a VM with one does not move while
 * it runs, and runs nowhere else.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";

export const mostHostDevices = 8;

export const pciAddressSchema = z
  .string()
  .regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, "must be a PCI address, like 0000:01:00.0");
/** Of vendor and product: what the device is, wherever it is plugged in. */
const deviceIdSchema = z
  .string()
  .regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, "must be the ids of vendor and product, like 10de:1eb8");

const usbDeviceSchema = z.strictObject({ name: nameSchema, usb: deviceIdSchema });

/** As it is asked for: what is at a PCI address is found out. */
export const hostDeviceDescriptionSchema = z.union(
  [
    z.strictObject({ name: nameSchema, pci: pciAddressSchema, id: deviceIdSchema.optional() }),
    usbDeviceSchema,
  ],
  "must be { name, pci: 0000:01:00.0 } or { name, usb: 10de:1eb8 }",
);
export type HostDeviceDescription = z.infer<typeof hostDeviceDescriptionSchema>;

/** In `vm.json`: another device at the same address is not taken for it. */
export const hostDeviceSchema = z.union([
  z.strictObject({ name: nameSchema, pci: pciAddressSchema, id: deviceIdSchema }),
  usbDeviceSchema,
]);
export type HostDevice = z.infer<typeof hostDeviceSchema>;

const areDistinct = (devices: readonly HostDeviceDescription[]): boolean =>
  new Set(devices.map(({ name }) => name)).size === devices.length &&
  new Set(devices.map((one) => ("pci" in one ? one.pci : one.usb))).size === devices.length;

export const hostDeviceDescriptionsSchema = z
  .array(hostDeviceDescriptionSchema)
  .max(mostHostDevices)
  .refine(areDistinct, "names a device twice");
export const hostDevicesSchema = z
  .array(hostDeviceSchema)
  .max(mostHostDevices)
  .refine(areDistinct, "names a device twice");

/** In words. */
export const hostDeviceText = (device: HostDeviceDescription): string =>
  "pci" in device ? `PCI device ${device.pci}` : `USB device ${device.usb}`;

/** The same device among those that a VM has already, which need not be looked for. Null: it is another. */
export const sameHostDevice = (
  had: readonly HostDevice[],
  device: HostDeviceDescription,
): HostDevice | null =>
  had.find((one) => {
    if (one.name !== device.name) return false;
    if ("usb" in one) return "usb" in device && device.usb === one.usb;
    return "pci" in device && device.pci === one.pci && (device.id === undefined || device.id === one.id);
  }) ?? null;

/** What a host has of them; bridges and hubs are left out. */
export const hostDeviceFactsSchema = z.object({
  pci: z
    .array(
      z.object({
        address: pciAddressSchema,
        id: deviceIdSchema,
        /** The kernel's number of its IOMMU group; null: there is no IOMMU. */
        group: z.int().min(0).nullable(),
        /** The kernel's driver; null: none. */
        driver: z.string().max(64).nullable(),
      }),
    )
    .max(1024),
  usb: z
    .array(
      z.object({
        id: deviceIdSchema,
        bus: z.int().min(0).max(999),
        device: z.int().min(0).max(999),
        /** What it calls itself. Absent: nothing. */
        product: z.string().max(126).optional(),
      }),
    )
    .max(256),
});
export type HostDeviceFacts = z.infer<typeof hostDeviceFactsSchema>;

/** What keeps a device of a host from being a VM's: `missing`, or a sentence's end. Null: nothing. */
export function hostDeviceProblem(
  device: HostDeviceDescription,
  { pci, usb }: HostDeviceFacts,
): "missing" | { reason: string } | null {
  if ("usb" in device) {
    const found = usb.filter(({ id }) => id === device.usb);
    if (found.length === 0) return "missing";
    return found.length === 1 ? null : { reason: `there are ${String(found.length)} such devices` };
  }
  const found = pci.find(({ address }) => address === device.pci);
  if (found === undefined || (device.id !== undefined && found.id !== device.id)) return "missing";
  if (found.group === null)
    return { reason: "the host has no IOMMU switched on (intel_iommu=on on its kernel's command line)" };
  const foreign = pci.filter(
    ({ group, driver }) => group === found.group && driver !== null && driver !== "vfio-pci",
  );
  const bind = ({ address, driver }: (typeof pci)[number]) =>
    `${address} has driver ${driver ?? ""} (driverctl set-override ${address} vfio-pci)`;
  if (found.driver !== "vfio-pci")
    return {
      reason:
        found.driver === null
          ? `it has no driver (driverctl set-override ${found.address} vfio-pci)`
          : bind(found),
    };
  const [other] = foreign;
  return other === undefined ? null : { reason: `of the same IOMMU group, ${bind(other)}` };
}
