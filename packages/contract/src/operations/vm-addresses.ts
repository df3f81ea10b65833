/** Where a VM's guest is reached, a part of the server's API. */
import { z } from "zod";
import { guestAddressesSchema } from "../schemas/guest-address.ts";
import { nameSchema } from "../schemas/names.ts";
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
} as const satisfies Operations;
