/** How the server controls the power of a host: by which controller, and what became of it. A password is given and never answered. */
import { z } from "zod";
import { nameSchema } from "./names.ts";
import { macSchema } from "./vm.ts";

const user = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces");
const address = z.union([z.ipv4(), z.ipv6(), z.hostname()], "must be a host name or an IP address");

/** SHA-256 of a certificate, with colons or without. */
export const fingerprintSchema = z
  .string()
  .regex(
    /^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/,
    "must be the SHA-256 of a certificate, 64 hexadecimal digits",
  );

/**
 * `redfish`: a BMC by Redfish (DMTF DSP0266). `ipmi`: a BMC by IPMI 2.0 over LAN, with ipmitool on the server's machine. `wol`: Wake-on-LAN,
 * which only turns a host on; its agent shuts it down.
 */
export const powerControllerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("redfish"),
    url: z.url({ protocol: /^https$/, error: "must be an address that begins with https://" }).max(500),
    user,
    /** Absent: an authority that the server's machine trusts has signed it. */
    fingerprint: fingerprintSchema.optional(),
    /** Path of the host's ComputerSystem; absent: the only one that the service has. */
    system: z
      .string()
      .max(500)
      .regex(/^\/redfish\/v1\/[\x21-\x7e]+$/, "must be a path like /redfish/v1/Systems/1")
      .optional(),
  }),
  z.strictObject({
    kind: z.literal("ipmi"),
    address,
    /** Absent: 623. */
    port: z.int().min(1).max(65_535).optional(),
    user,
    /** Of IPMI 2.0, table 22-20; none without authentication. Absent: the best that the BMC offers when it is asked. */
    cipherSuite: z.int().min(1).max(17).optional(),
  }),
  z.strictObject({
    kind: z.literal("wol"),
    mac: macSchema,
    /** Where the packet is sent. Absent: 255.255.255.255, the network of the server's machine. */
    broadcast: z.ipv4().optional(),
  }),
]);
export type PowerController = z.infer<typeof powerControllerSchema>;
export type PowerKind = PowerController["kind"];

const seconds = z.int().min(1).max(7200);

export const powerSettingsSchema = z
  .strictObject({
    controller: powerControllerSchema,
    /** Of the controller's user; Wake-on-LAN has none. */
    password: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[^\0\r\n]+$/, "must be one line")
      .optional(),
    /** How long the host may take from off until its agent answers. */
    wakeSeconds: seconds.default(1200),
    /** How long an orderly shutdown may take. */
    offSeconds: seconds.default(600),
  })
  .refine(({ controller, password }) => (controller.kind === "wol") === (password === undefined), {
    path: ["password"],
    error: "must be given for redfish and ipmi, and not for wol",
  });
export type PowerSettings = z.infer<typeof powerSettingsSchema>;

/** `stopping`: it is being shut down. `standby`: the server has powered it off. `waking`: it is being powered on. */
export const powerStateSchema = z.enum(["stopping", "standby", "waking"]);
export type PowerState = z.infer<typeof powerStateSchema>;

/** What the server knows of a host's power without asking. */
export const hostPowerSchema = z.object({
  kind: z.enum(["redfish", "ipmi", "wol"]),
  /** Null: the server has not changed it, or the host has answered since. */
  state: powerStateSchema.nullable(),
  since: z.iso.datetime().nullable(),
  /** The pool that did it to save power; null: an operator. */
  pool: nameSchema.nullable(),
  /** When the server woke it last. Null: it never has. */
  wokeAt: z.iso.datetime().nullable(),
  /** Why it did not wake when that was tried last. */
  wakeFailure: z.object({ at: z.iso.datetime(), reason: z.string() }).nullable(),
});
export type HostPower = z.infer<typeof hostPowerSchema>;

export const powerViewSchema = z.object({
  controller: powerControllerSchema,
  wakeSeconds: z.int(),
  offSeconds: z.int(),
  host: hostPowerSchema,
  /** What the controller says now. Null: it cannot tell, or does not answer. */
  power: z.enum(["on", "off"]).nullable(),
  /** Why the controller does not answer. */
  problem: z.string().nullable(),
});
export type PowerView = z.infer<typeof powerViewSchema>;
