/** Where a VM's guest is reached, a part of the server's API. */
import { z } from "zod";
import { guestAddressesSchema } from "../schemas/guest-address.ts";
import { nameSchema } from "../schemas/names.ts";
import { announcedMacsSchema } from "../schemas/unlearned-mac.ts";
import type { Operations } from "./operation.ts";

export const vmAddressOperations = {
  vmAddresses: {
    method: "GET",
    path: "/api/v1/vms/{vm}/addresses",
    privilege: "admin",
    summary:
      "The guest's IP addresses now: by its guest agent, or else what its host has in its neighbour table",
    params: z.strictObject({ vm: z.string().min(1).max(63) }),
    answer: { status: 200, body: guestAddressesSchema.extend({ vm: nameSchema, host: nameSchema }) },
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "HOST_UNREACHABLE"],
  },
  vmAnnounce: {
    method: "POST",
    path: "/api/v1/vms/{vm}/announce",
    privilege: "admin",
    summary:
      "Announce the MAC addresses of a running VM from its host, as after a move, so that switches learn where it is",
    params: z.strictObject({ vm: z.string().min(1).max(63) }),
    answer: { status: 200, body: announcedMacsSchema.extend({ vm: nameSchema, host: nameSchema }) },
    errors: [
      ...["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "AGENT_CANNOT"],
      ...["HOST_UNREACHABLE", "QMP_REFUSED"],
    ],
  },
} as const satisfies Operations;
