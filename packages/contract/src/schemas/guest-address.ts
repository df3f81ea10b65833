/** IP addresses of a VM's guest, and who says so. Neither source is proof: a guest can tell any, and so can others on its link. */
import { z } from "zod";
import { nameSchema } from "./names.ts";
import { macSchema } from "./vm.ts";

export const mostGuestAddresses = 256;

export const guestAddressSchema = z.object({
  /** Which of the VM's NICs has it, from 0. */
  nic: z.int().min(0),
  portGroup: nameSchema,
  mac: macSchema,
  address: z.union([z.ipv4(), z.ipv6()]),
  /** Of the link alone (169.254.0.0/16, fe80::/10): nobody elsewhere reaches the guest by it. */
  isLinkLocal: z.boolean(),
  /** `neighbourTable`: the host's own, of those that it has talked with. */
  source: z.enum(["guestAgent", "neighbourTable"]),
});
export type GuestAddress = z.infer<typeof guestAddressSchema>;

export const guestAddressesSchema = z.object({
  addresses: z.array(guestAddressSchema).max(mostGuestAddresses),
  /** Why the guest agent told nothing, the end of a sentence; null: it answered. */
  withoutGuestAgent: z.string().max(400).nullable(),
});
export type GuestAddresses = z.infer<typeof guestAddressesSchema>;
