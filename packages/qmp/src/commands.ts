/**
 * The QMP commands and events that Godwit uses, declared once. A test holds every name and field
 * against `query-qmp-schema` of the installed QEMU; replies are validated when they come, so a
 * misspelt field is an error, never a silent zero.
 */
import { z } from "zod";

const empty = z.object({});
const size = z.number();

/** What is asked of QEMU: the argument names, and the reply. */
export interface CommandDefinition {
  args: readonly string[];
  reply: z.ZodType;
}

/** Arguments that only a QEMU from this version on takes: an older one refuses the command that has one. */
export const argumentsSince: Readonly<Record<string, number>> = { "calc-time-unit": 8.2 };

const ramSchema = z.object({
  transferred: size,
  remaining: size,
  total: size,
  duplicate: size,
  normal: size,
  "normal-bytes": size,
  "dirty-pages-rate": size,
  "dirty-sync-count": size,
  "page-size": size,
});

const socketAddressSchema = z.object({
  type: z.string(),
  host: z.string().optional(),
  port: z.string().optional(),
});

/** Names that `migrate-set-capabilities` is given. */
export const migrationCapabilities = [
  "return-path",
  "late-block-activate",
  "events",
  "pause-before-switchover",
  "validate-uuid",
  "auto-converge",
  "postcopy-ram",
  "postcopy-blocktime",
] as const;
export type MigrationCapability = (typeof migrationCapabilities)[number];
export type MigrationParameter =
  | "max-bandwidth"
  | "max-postcopy-bandwidth"
  | "downtime-limit"
  | "max-cpu-throttle"
  | "cpu-throttle-initial"
  | "cpu-throttle-increment"
  | "throttle-trigger-threshold";

export const commands = {
  "query-status": { args: [], reply: z.object({ running: z.boolean(), status: z.string() }) },
  "query-block": {
    args: [],
    reply: z.array(
      z.object({
        device: z.string(),
        qdev: z.string().optional(),
        "io-status": z.string().optional(),
        inserted: z
          .object({
            "node-name": z.string().optional(),
            image: z.object({
              "virtual-size": size,
              snapshots: z.array(z.object({ name: z.string() })).optional(),
            }),
          })
          .optional(),
      }),
    ),
  },
  "query-blockstats": {
    args: [],
    reply: z.array(
      z.object({ stats: z.object({ rd_operations: size, wr_operations: size, flush_operations: size }) }),
    ),
  },
  "query-named-block-nodes": {
    args: ["flat"],
    reply: z.array(z.object({ "node-name": z.string().optional(), file: z.string() })),
  },
  "blockdev-mirror": {
    args: [...["job-id", "device", "target", "sync", "copy-mode", "speed", "auto-finalize", "auto-dismiss"]],
    reply: empty,
  },
  "query-jobs": {
    args: [],
    reply: z.array(
      z.object({
        id: z.string(),
        status: z.string(),
        "current-progress": size,
        "total-progress": size,
        error: z.string().optional(),
      }),
    ),
  },
  "job-complete": { args: ["id"], reply: empty },
  "job-finalize": { args: ["id"], reply: empty },
  "job-cancel": { args: ["id"], reply: empty },
  "job-dismiss": { args: ["id"], reply: empty },
  transaction: { args: ["actions"], reply: empty },
  "blockdev-snapshot-delete-internal-sync": { args: ["device", "name"], reply: empty },
  "snapshot-save": { args: ["job-id", "tag", "vmstate", "devices"], reply: empty },
  "snapshot-load": { args: ["job-id", "tag", "vmstate", "devices"], reply: empty },
  "set-action": { args: ["shutdown", "panic"], reply: empty },
  "block-job-cancel": { args: ["device", "force"], reply: empty },
  "nbd-server-start": { args: ["addr", "tls-creds", "tls-authz", "max-connections"], reply: empty },
  "nbd-server-stop": { args: [], reply: empty },
  "block-export-add": { args: ["type", "id", "node-name", "name", "writable"], reply: empty },
  "block-export-del": { args: ["id"], reply: empty },
  "blockdev-add": {
    args: [
      ...["driver", "node-name", "filename", "read-only", "locking", "aio", "cache", "discard", "file"],
      ...["backing", "server", "export", "tls-creds", "tls-hostname"],
    ],
    reply: empty,
  },
  "blockdev-reopen": { args: ["options"], reply: empty },
  "blockdev-del": { args: ["node-name"], reply: empty },
  block_resize: { args: ["node-name", "size"], reply: empty },
  /** A device's own properties are beside these. */
  device_add: { args: ["driver", "id", "bus"], reply: empty },
  device_del: { args: ["id"], reply: empty },
  /** Of kinds that Godwit does not make fields are absent. */
  "query-memory-devices": {
    args: [],
    reply: z.array(
      z.object({
        data: z.object({
          id: z.string().optional(),
          slot: size.optional(),
          addr: size.optional(),
          size: size.optional(),
        }),
      }),
    ),
  },
  netdev_add: { args: ["type", "id", "ifname", "script", "downscript", "vhost"], reply: empty },
  netdev_del: { args: ["id"], reply: empty },
  "qom-list": { args: ["path"], reply: z.array(z.object({ name: z.string() })) },
  "blockdev-open-tray": { args: ["id", "force"], reply: empty },
  "blockdev-close-tray": { args: ["id"], reply: empty },
  "blockdev-insert-medium": { args: ["id", "node-name"], reply: empty },
  "blockdev-remove-medium": { args: ["id"], reply: empty },
  "query-version": {
    args: [],
    reply: z.object({ qemu: z.object({ major: size, minor: size, micro: size }), package: z.string() }),
  },
  "query-machines": {
    args: [],
    reply: z.array(z.object({ name: z.string(), alias: z.string().optional(), deprecated: z.boolean() })),
  },
  "query-cpu-definitions": {
    args: [],
    reply: z.array(z.object({ name: z.string(), "unavailable-features": z.array(z.string()).optional() })),
  },
  "query-cpu-model-expansion": {
    args: ["type", "model"],
    reply: z.object({
      model: z.object({ name: z.string(), props: z.record(z.string(), z.unknown()).optional() }),
    }),
  },
  "query-cpus-fast": { args: [], reply: z.array(z.object({ "qom-path": z.string() })) },
  "qom-get": { args: ["path", "property"], reply: z.unknown() },
  "query-kvm": { args: [], reply: z.object({ enabled: z.boolean(), present: z.boolean() }) },
  cont: { args: [], reply: empty },
  stop: { args: [], reply: empty },
  quit: { args: [], reply: empty },
  system_powerdown: { args: [], reply: empty },
  system_reset: { args: [], reply: empty },
  balloon: { args: ["value"], reply: empty },
  "query-balloon": { args: [], reply: z.object({ actual: size }) },
  set_link: { args: ["name", "up"], reply: empty },
  system_wakeup: { args: [], reply: empty },
  "announce-self": { args: ["initial", "max", "rounds", "step"], reply: empty },
  "object-add": {
    args: ["qom-type", "id", "size", "dir", "endpoint", "verify-peer", "identity"],
    reply: empty,
  },
  "object-del": { args: ["id"], reply: empty },
  "migrate-set-capabilities": { args: ["capabilities"], reply: empty },
  "migrate-set-parameters": {
    args: [
      "max-bandwidth",
      "max-postcopy-bandwidth",
      "downtime-limit",
      "max-cpu-throttle",
      "cpu-throttle-initial",
      "cpu-throttle-increment",
      "throttle-trigger-threshold",
      "tls-creds",
      "tls-hostname",
      "tls-authz",
      "announce-initial",
      "announce-max",
      "announce-rounds",
      "announce-step",
    ],
    reply: empty,
  },
  "migrate-incoming": { args: ["uri"], reply: empty },
  migrate: { args: ["uri", "resume"], reply: empty },
  "migrate-start-postcopy": { args: [], reply: empty },
  "migrate-pause": { args: [], reply: empty },
  "migrate-recover": { args: ["uri"], reply: empty },
  migrate_cancel: { args: [], reply: empty },
  yank: { args: ["instances"], reply: empty },
  "migrate-continue": { args: ["state"], reply: empty },
  "query-migrate": {
    args: [],
    reply: z.object({
      status: z.string().optional(),
      ram: ramSchema.optional(),
      downtime: size.optional(),
      "error-desc": z.string().optional(),
      "socket-address": z.array(socketAddressSchema).optional(),
      "postcopy-blocktime": size.optional(),
      "postcopy-vcpu-blocktime": z.array(size).optional(),
    }),
  },
  "calc-dirty-rate": { args: ["calc-time", "calc-time-unit", "sample-pages"], reply: empty },
  "query-dirty-rate": { args: [], reply: z.object({ status: z.string(), "dirty-rate": size.optional() }) },
  "query-qmp-schema": { args: [], reply: z.array(z.record(z.string(), z.unknown())) },
} as const satisfies Record<string, CommandDefinition>;

export type CommandName = keyof typeof commands;
export type CommandArguments<C extends CommandName> = Partial<
  Record<(typeof commands)[C]["args"][number], unknown>
>;
export type CommandReply<C extends CommandName> = z.output<(typeof commands)[C]["reply"]>;

/** Events that Godwit listens to, with the fields that it reads. */
export const events = {
  STOP: [],
  RESUME: [],
  SHUTDOWN: ["guest", "reason"],
  RESET: ["guest"],
  SUSPEND: [],
  WAKEUP: [],
  BLOCK_IO_ERROR: ["action", "nospace"],
  GUEST_PANICKED: ["action"],
  WATCHDOG: ["action"],
  JOB_STATUS_CHANGE: ["id", "status"],
  DEVICE_DELETED: ["device"],
  MIGRATION: ["status"],
  MIGRATION_PASS: ["pass"],
} as const satisfies Record<string, readonly string[]>;

export type EventName = keyof typeof events;
