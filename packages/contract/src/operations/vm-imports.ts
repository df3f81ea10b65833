/** VMs that other products have described, a part of the server's API. */
import { nameSchema } from "../schemas/names.ts";
import { vmImportDraftSchema, vmImportRequestSchema } from "../schemas/vm-import.ts";
import type { Operations } from "./operation.ts";

/** What may be wrong with a source, at a host or asked through the server. */
export const importErrorCodes = [
  ...["IMPORT_UNREADABLE", "IMPORT_DISK_MISSING", "IMPORT_DISK_FORMAT_UNKNOWN", "IMPORT_NETWORK_UNMAPPED"],
  ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_FOLDERS", "VM_DESCRIPTION_INVALID"],
] as const;

export const vmImportOperations = {
  vmImportRead: {
    method: "POST",
    path: "/api/v1/vm-imports",
    privilege: "admin",
    summary:
      "Read a VM that another product has described from a datastore, and answer the description to create it by; nothing is changed",
    body: vmImportRequestSchema,
    /** `host`: that has read it, and sees both datastores: to create the VM at. */
    answer: { status: 200, body: vmImportDraftSchema.extend({ host: nameSchema }) },
    errors: [
      ...importErrorCodes,
      ...["HOST_UNKNOWN", "HOST_UNREACHABLE", "DESTINATION_IN_MAINTENANCE", "AGENT_CANNOT"],
    ],
  },
} as const satisfies Operations;
