/** The import of a VM that another product has described: what is asked, and what comes of it. */
import { z } from "zod";
import { foreignPathSchema } from "./datastore-path.ts";
import { nameSchema } from "./names.ts";
import { vmDescriptionSchema } from "./vm.ts";

/** What the other product calls a disk or a network. */
const labelSchema = z.string().min(1).max(255);

export const importSourceSchema = z.strictObject({
  datastore: nameSchema,
  /** A `.vmx`, `.ovf`, `.ova`, `.xml` (libvirt) or `.conf` (Proxmox) file. */
  path: foreignPathSchema,
});
export type ImportSource = z.infer<typeof importSourceSchema>;

/** What the operator decides; all that is absent follows from the source. */
const choices = {
  /** The new VM's name. */
  name: nameSchema.optional(),
  /** Of each network of the source: the port group. */
  networks: z.record(labelSchema, nameSchema).optional(),
  /** For the networks that are not in `networks`. */
  portGroup: nameSchema.optional(),
  /** Absent: the NICs keep their MAC addresses. */
  newMacs: z.literal(true).optional(),
  /** The format of the new disks; absent: qcow2. */
  format: z.enum(["qcow2", "raw"]).optional(),
  /** Of disks of the source: the file on its datastore. */
  disks: z.record(labelSchema, foreignPathSchema).optional(),
};

export const vmImportOrderSchema = z.strictObject({
  source: importSourceSchema,
  /** Where the new VM's folder and disks are to lie. */
  datastore: nameSchema,
  ...choices,
});
export type VmImportOrder = z.infer<typeof vmImportOrderSchema>;

export const vmImportRequestSchema = z.strictObject({
  source: importSourceSchema,
  /** Absent: the source's. */
  datastore: nameSchema.optional(),
  /** Absent: chosen. */
  host: nameSchema.optional(),
  ...choices,
});

const sentence = z.string().max(1000);

export const importReportSchema = z.object({
  format: z.enum(["vmx", "ovf", "ova", "libvirt", "proxmox"]),
  source: importSourceSchema,
  /** As it was. */
  carried: z.array(z.object({ what: sentence, value: sentence })).max(500),
  /** Otherwise than it was, and why. */
  changed: z.array(z.object({ what: sentence, reason: sentence })).max(500),
  notCarried: z.array(z.object({ what: sentence, reason: sentence })).max(500),
});
export type ImportReport = z.infer<typeof importReportSchema>;

export const vmImportDraftSchema = z.object({ description: vmDescriptionSchema, report: importReportSchema });
export type VmImportDraft = z.infer<typeof vmImportDraftSchema>;
