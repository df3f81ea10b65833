/**
 * VXLAN (RFC 7348): a virtual switch of hosts that share no layer 2. Each host that has it sends its VMs' frames in UDP to the
 * others, from one of its own addresses, its underlay. The server says who the others are.
 */
import { z } from "zod";
import { isIpv6 } from "./addresses.ts";

/** The number that IANA gave it. */
export const vxlanPort = 4789;

/** Which of a host's addresses: that for migrations, or the one in a network like `10.9.0.0/24`. */
export const underlaySchema = z.union(
  [z.literal("migration"), z.cidrv4(), z.cidrv6()],
  "must be migration, or a network like 10.9.0.0/24",
);
export type Underlay = z.infer<typeof underlaySchema>;

export const vxlanSettingsSchema = z.object({
  /** The segment's number, of which there is one switch. */
  vni: z.int().min(1).max(16_777_215),
  /** Of UDP, on every host. */
  port: z.int().min(1).max(65_535),
  underlay: underlaySchema,
});
export type VxlanSettings = z.infer<typeof vxlanSettingsSchema>;

const addressSchema = z.union([z.ipv4(), z.ipv6()]);

/** As one host is to have it. */
export const vxlanDefinitionSchema = vxlanSettingsSchema.extend({
  /** Its own address in the underlay; null: it has none. */
  local: addressSchema.nullable(),
  /** The underlay addresses of the other hosts that have the switch. */
  peers: z.array(addressSchema).max(1000),
});
export type VxlanDefinition = z.infer<typeof vxlanDefinitionSchema>;

/** What a host sends a port group's frames through. */
export const tunnelFactsSchema = z.object({
  vni: z.int(),
  local: z.string().max(64),
  /** To whom it sends them, as its kernel has it. */
  peers: z.array(z.string().max(64)).max(4096),
});
export type TunnelFacts = z.infer<typeof tunnelFactsSchema>;

/** The interface of a segment, the same on every host: the uplink of its switch. */
export const vxlanDeviceOf = ({ vni }: Pick<VxlanSettings, "vni">): string => `gx-${String(vni)}`;

/** Bytes of a packet that the tunnel takes: outer IP and UDP, the VXLAN header, and the inner Ethernet header. */
export const vxlanOverhead = (local: string): number => (isIpv6(local) ? 70 : 50);
