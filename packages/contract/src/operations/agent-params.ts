/** By what a VM is named in an agent's paths. */
import { z } from "zod";
import { vmIdSchema } from "../schemas/names.ts";

export const vmParams = z.strictObject({ vmId: vmIdSchema });
