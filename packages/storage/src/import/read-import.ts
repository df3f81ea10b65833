/** Reads a VM of another product from a datastore: what would become of it. Nothing is changed. */
import type { VmImportDraft, VmImportOrder } from "@godwit/contract";
import type { Datastore } from "../datastore.ts";
import { draftOf } from "./draft.ts";
import { resolveDisks } from "./resolve-disks.ts";
import { readSource } from "./source-files.ts";

/**
 * @param datastore the source's
 * @throws IMPORT_UNREADABLE, IMPORT_DISK_MISSING, IMPORT_DISK_FORMAT_UNKNOWN, IMPORT_NETWORK_UNMAPPED, VM_DESCRIPTION_INVALID
 */
export async function readImport(datastore: Datastore, order: VmImportOrder): Promise<VmImportDraft> {
  const source = await readSource(datastore, order.source);
  const disks = await resolveDisks(datastore, source, order);
  return draftOf({ source, disks, order });
}
