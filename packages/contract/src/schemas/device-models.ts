/**
 * What the guest sees its disks and NICs as, where that is not virtio: devices whose drivers are in the guest already, as in a
 * Windows that comes from VMware. In a description `virtio` may be said; in `vm.json` it is left out.
 */
import { z } from "zod";

/** `sata`: AHCI. `scsi`: virtio-scsi. */
export const diskBusSchema = z.enum(["virtio", "sata", "scsi"]);
export type DiskBus = z.infer<typeof diskBusSchema>;
export const storedDiskBusSchema = diskBusSchema.exclude(["virtio"]);

/** Names of QEMU's devices. `e1000`: Intel 82540EM; `e1000e`: Intel 82574L. */
export const nicModelSchema = z.enum(["virtio", "e1000e", "e1000"]);
export type NicModel = z.infer<typeof nicModelSchema>;
export const storedNicModelSchema = nicModelSchema.exclude(["virtio"]);

interface Modelled {
  disks: readonly { bus?: DiskBus | undefined }[];
  nics: readonly { model?: NicModel | undefined }[];
}

/** Whether any disk or NIC is not what agents of before had only: virtio. */
export const hasModels = ({ disks, nics }: Modelled): boolean =>
  disks.some(({ bus = "virtio" }) => bus !== "virtio") ||
  nics.some(({ model = "virtio" }) => model !== "virtio");

/** As `vm.json` says it. */
export const storedBus = (bus: DiskBus | undefined): { bus?: z.infer<typeof storedDiskBusSchema> } =>
  bus === undefined || bus === "virtio" ? {} : { bus };
export const storedModel = (model: NicModel | undefined): { model?: z.infer<typeof storedNicModelSchema> } =>
  model === undefined || model === "virtio" ? {} : { model };
