/**
 * Networks as objects of the inventory: virtual switches, and the port groups on them. What the server defines, what a host
 * applies, and what both together look like to an operator. A switch is a Linux bridge that the host's agent makes.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";
import { bondDefinitionSchema, interfaceNameSchema, uplinkSchema } from "./uplink.ts";
import { underlaySchema, vxlanDefinitionSchema, vxlanSettingsSchema } from "./vxlan.ts";

/** IPv6 needs 1280 bytes. */
const mtuSchema = z.int().min(1280).max(9216);
/** 0: frames without a tag. */
const vlanSchema = z.int().min(0).max(4094);
export const defaultMtu = 1500;

/** More than a host could have use for. */
const mostSwitches = 256;
const mostNetworks = 4096;

/** What a host is to have. */
export const switchDefinitionSchema = z.object({
  name: nameSchema,
  /** The interface of this host that leads outside; null: an internal switch. */
  uplink: interfaceNameSchema.nullable(),
  mtu: mtuSchema,
  /** Its uplink is this tunnel then. */
  vxlan: vxlanDefinitionSchema.optional(),
  /** Its uplink is this bond then. */
  bond: bondDefinitionSchema.optional(),
});
export type SwitchDefinition = z.infer<typeof switchDefinitionSchema>;

/** A port group, on each host that has its switch. */
export const networkDefinitionSchema = z.object({
  name: nameSchema,
  switch: nameSchema,
  vlan: vlanSchema,
  /** Absent: the switch's. */
  mtu: mtuSchema.optional(),
  /** VMs may send with MAC addresses that are not their own, as routers and nested hypervisors in them do. */
  allowForgedTransmits: z.boolean(),
  /** True: hosts do not receive each other's broadcasts, as with private VLANs and isolated switch ports. */
  isolatedHosts: z.literal(true).optional(),
});
export type NetworkDefinition = z.infer<typeof networkDefinitionSchema>;

/** All that the inventory defines for one host. */
export const networkListSchema = z.object({
  switches: z.array(switchDefinitionSchema).max(mostSwitches),
  networks: z.array(networkDefinitionSchema).max(mostNetworks),
});
export type NetworkList = z.infer<typeof networkListSchema>;

/** What keeps a host from applying a part of what the inventory defines. */
export const networkRefusalSchema = z.object({
  kind: z.enum(["switch", "network"]),
  name: nameSchema,
  reason: z.string().max(1000),
});
export type NetworkRefusal = z.infer<typeof networkRefusalSchema>;
export const networkRefusalsSchema = z.array(networkRefusalSchema).max(2 * (mostSwitches + mostNetworks));

/** A switch as a host has it. */
export const switchFactsSchema = z.object({
  name: nameSchema,
  bridge: z.string(),
  /** Null: it has none, or the one that it is to have is no port of the bridge. */
  uplink: z.string().nullable(),
  /** As the host was told. */
  desiredUplink: z.string().nullable(),
  mtu: z.int().min(0),
  /** As the host was told. */
  vxlan: vxlanDefinitionSchema.optional(),
  /** As the host was told. */
  bond: bondDefinitionSchema.optional(),
});
export type SwitchFacts = z.infer<typeof switchFactsSchema>;
export const switchesFactsSchema = z.array(switchFactsSchema).max(2 * mostSwitches);

export const newSwitchSchema = z
  .strictObject({
    name: nameSchema,
    /** Null: an internal switch, or one with VXLAN. */
    uplink: uplinkSchema.nullable(),
    /** Absent: 1500, or that of the switch that there is; with VXLAN no more than the underlay carries. */
    mtu: mtuSchema.optional(),
    /** Absent: every host, also those that join later. */
    hosts: z.array(nameSchema).min(1).max(1000).optional(),
    /** Frames between its hosts go in UDP. Absent of port and underlay: 4789, and the hosts' addresses for migrations. */
    vxlan: z
      .strictObject({
        vni: vxlanSettingsSchema.shape.vni,
        port: vxlanSettingsSchema.shape.port.optional(),
        underlay: underlaySchema.optional(),
      })
      .optional(),
  })
  .refine(
    ({ uplink, vxlan }) => uplink === null || vxlan === undefined,
    "has an uplink, or VXLAN in its place",
  );
export type NewSwitch = z.infer<typeof newSwitchSchema>;

export const newNetworkSchema = z.strictObject({
  name: nameSchema,
  switch: nameSchema,
  /** Absent: 0, frames without a tag. */
  vlan: vlanSchema.optional(),
  mtu: mtuSchema.optional(),
  allowForgedTransmits: z.boolean().optional(),
  isolatedHosts: z.boolean().optional(),
});
export type NewNetwork = z.infer<typeof newNetworkSchema>;

/** What is left out stays as it is. VMs that are connected to it keep running. */
export const switchChangesSchema = z.strictObject({ mtu: mtuSchema });
export type SwitchChanges = z.infer<typeof switchChangesSchema>;

export const networkChangesSchema = z
  .strictObject({
    vlan: vlanSchema.optional(),
    /** Null: the switch's. */
    mtu: mtuSchema.nullable().optional(),
    allowForgedTransmits: z.boolean().optional(),
    isolatedHosts: z.boolean().optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, "changes nothing");
export type NetworkChanges = z.infer<typeof networkChangesSchema>;

/**
 * On a host. `available`: in use as it is defined. `unavailable`: applied, and leads nowhere. `notApplied`: the host has it not, or
 * otherwise than it is defined. `unknown`: the host does not answer. `notDefined`: the host has it by its own configuration.
 */
const networkStateSchema = z.enum(["available", "unavailable", "notApplied", "unknown", "notDefined"]);
export type NetworkState = z.infer<typeof networkStateSchema>;

const onHost = {
  host: nameSchema,
  state: networkStateSchema,
  /** Why it is not available, a sentence's end; null: it is. */
  reason: z.string().nullable(),
  /** The Linux bridge; null: there is none, or it is not known. */
  bridge: z.string().nullable(),
  /** The host's interface that leads outside, as it is; null: none. */
  uplink: z.string().nullable(),
  mtu: z.int().nullable(),
};

export const switchViewSchema = z.object({
  name: nameSchema,
  mtu: mtuSchema,
  /** Where a host has no other; null: none. */
  uplink: uplinkSchema.nullable(),
  /** Whether hosts that join later get it too. */
  everyHost: z.boolean(),
  createdAt: z.iso.datetime(),
  /** Null: another one. */
  vxlan: vxlanSettingsSchema.nullable(),
  hosts: z.array(
    z.object({
      ...onHost,
      desiredUplink: uplinkSchema.nullable(),
      /** With VXLAN: its address in the underlay, and those that it sends to. */
      vxlan: vxlanDefinitionSchema.pick({ local: true, peers: true }).nullable(),
    }),
  ),
  /** Names of its port groups. */
  networks: z.array(nameSchema),
});
export type SwitchView = z.infer<typeof switchViewSchema>;

export const networkViewSchema = z.object({
  name: nameSchema,
  /** Null, as all of its definition: hosts have it by their own configuration only. */
  switch: nameSchema.nullable(),
  vlan: vlanSchema.nullable(),
  /** Null: the switch's. */
  mtu: mtuSchema.nullable(),
  allowForgedTransmits: z.boolean().nullable(),
  /** Absent: they receive them, or nobody has said. */
  isolatedHosts: z.literal(true).optional(),
  createdAt: z.iso.datetime().nullable(),
  hosts: z.array(z.object(onHost)),
  /** VMs that have a NIC in it, by name. */
  vms: z.array(z.string()),
});
export type NetworkView = z.infer<typeof networkViewSchema>;
