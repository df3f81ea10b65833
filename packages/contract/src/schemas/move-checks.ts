/** Which hosts could take which VMs: one row a VM, one answer a host. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";

export const moveChecksSchema = z.object({
  /** False where the question concerns so many pairs of hosts that their migration paths were not tried. */
  pathsTried: z.boolean(),
  vms: z.array(
    z.object({
      vm: z.string(),
      from: z.string(),
      /** All that were asked for but the VM's own host. */
      hosts: z.array(
        z.object({
          to: z.string(),
          allowed: z.boolean(),
          errors: z.array(z.string()).describe("Codes of what forbids the move"),
          warnings: z.array(z.string()).describe("Codes of what its owner should know of"),
          /** Null in an answer of more than 2,000 pairs: ask for fewer VMs to have them. */
          findings: z.array(findingSchema).nullable(),
        }),
      ),
    }),
  ),
});
export type MoveChecks = z.infer<typeof moveChecksSchema>;
