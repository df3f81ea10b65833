/**
 * MAC addresses of VMs that have moved away, as long as the host that they left has not received a frame from their new place: what a
 * VM announces there goes to all of its network, also to that host.
 */
import { z } from "zod";
import { nameSchema, vmIdSchema } from "./names.ts";
import { macSchema } from "./vm.ts";

export const mostUnlearnedMacs = 1024;

export const unlearnedMacSchema = z.object({
  id: vmIdSchema,
  mac: macSchema,
  portGroup: nameSchema,
  /** The host that the VM moved to. */
  to: nameSchema,
  /** By the clock of the host that reports. */
  since: z.iso.datetime(),
});
export type UnlearnedMac = z.infer<typeof unlearnedMacSchema>;

/** What was announced: the VM's NICs whose link is up. */
export const announcedMacsSchema = z.object({
  announced: z.array(z.object({ mac: macSchema, portGroup: nameSchema })).max(64),
});
export type AnnouncedMacs = z.infer<typeof announcedMacsSchema>;
