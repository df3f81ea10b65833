/** The agent's configuration: a YAML file, checked whole; a mistake is told with its place. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import {
  fingerprintSchema,
  GodwitError,
  interfaceNameSchema,
  isLinkLocal,
  nameSchema,
  normalAddress,
  portRangeSchema,
} from "@godwit/contract";
import { parseDocument } from "yaml";
import { z } from "zod";

const absolutePath = z.string().regex(/^\//, "must be an absolute path");
const address = z
  .string()
  .refine((text) => isIP(text) !== 0, "must be an IP address")
  .transform(normalAddress)
  .refine(
    (text) => !isLinkLocal(text) || text.includes("%"),
    "is a link-local address: name its interface, like fe80::1%eth1",
  );
/** Each may be joined to each of the other host's: the kernel has eight at most of a connection. */
const mostFurtherLinks = 4;
/** libvirt's, so that firewalls that are open for it are open for Godwit. */
const migrationPorts = { first: 49_152, last: 49_215 };

export const agentConfigSchema = z.strictObject({
  name: nameSchema,
  listen: z.strictObject({ address, port: z.int().min(1).max(65535).default(8444) }),
  server: z.strictObject({ url: z.url() }),
  stateFolder: absolutePath.default("/var/lib/godwit/agent"),
  runFolder: absolutePath.default("/run/godwit"),
  /** What was found out about this machine, until it is booted again. */
  cacheFolder: absolutePath.default("/var/cache/godwit"),
  /** Where QEMU's memory streams go; without it no VM can move to or from this host. */
  migration: z
    .strictObject({
      address,
      /** Of further links, on networks of their own: streams go over all of them. */
      also: z
        .array(
          address.refine(
            (text) => !isLinkLocal(text),
            "is a link-local address, which no other host can be told",
          ),
        )
        .max(mostFurtherLinks)
        .optional(),
      ports: portRangeSchema.default(migrationPorts),
    })
    .optional(),
  /** On bridges of the host's own; those on virtual switches are the inventory's. */
  portGroups: z
    .array(
      z.strictObject({
        name: nameSchema,
        bridge: interfaceNameSchema,
        uplink: interfaceNameSchema.nullable().default(null),
        /** VMs may send with MAC addresses that are not their own, as routers and nested hypervisors in them do. */
        allowForgedTransmits: z.boolean().default(false),
        /** Hosts do not receive each other's broadcasts there, as with private VLANs and isolated switch ports. */
        isolatedHosts: z.boolean().optional(),
      }),
    )
    .default([]),
  /** Taken over by the server's inventory, once. */
  datastores: z
    .array(z.strictObject({ name: nameSchema, path: absolutePath, shared: z.boolean().default(true) }))
    .default([]),
  /** Where this host mounts datastores that are not folders of its own; of the agent alone. */
  mountsFolder: absolutePath.default("/var/lib/godwit/mounts"),
  /** Where the inventory may define datastores on this host: in folders in these. Those above are allowed wherever they are. */
  datastoreFolders: z.array(absolutePath).default(["/srv", "/mnt", "/media", "/var/lib/godwit/datastores"]),
  /** What operators may have this host do while no VM runs there. Whoever holds the admin token is root here then. */
  updates: z
    .strictObject({
      commands: z.boolean().default(false),
      /** How it is booted again. */
      rebootCommand: z.string().min(1).max(1000).default("systemctl reboot"),
      /** How it is shut down, where its power controller cannot have it done. */
      powerOffCommand: z.string().min(1).max(1000).default("systemctl poweroff"),
    })
    .prefault({}),
  /** The host's BMC, for what it tells of the host's health. */
  bmc: z
    .strictObject({
      redfish: z.strictObject({
        url: z.url({ protocol: /^https$/, error: "must be an address that begins with https://" }),
        user: z.string().min(1).max(100),
        /** Of root alone. */
        passwordFile: absolutePath,
        /** SHA-256 of its certificate; absent: an authority that this host trusts has signed it. */
        fingerprint: fingerprintSchema.optional(),
      }),
    })
    .optional(),
  /** What this host downloads into the library of images. */
  images: z
    .strictObject({
      /** Networks and addresses that are asked beside those of the public Internet: `10.1.2.0/24`. */
      allow: z
        .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], "must be a network"))
        .max(1000)
        .default([]),
      /** Certificates of authorities that are trusted beside those that Node.js brings. */
      caFile: absolutePath.optional(),
      /** The largest that is taken. */
      largestGib: z.int().min(1).max(65_536).default(1024),
    })
    .prefault({}),
  /** sanlock's io timeout on shared datastores: a host is dead for others 8 of it and 60 s after its last sign. */
  leases: z.strictObject({ ioTimeoutSeconds: z.int().min(1).max(30).default(10) }).prefault({}),
  /**
   * A CPU report (godwit cpu report --json) that this host is to pass for: a simulation, for labs. Its VMs see
   * no more than that CPU has, and it is labelled wherever it is shown.
   */
  simulatedCpu: absolutePath.optional(),
  qemu: z
    .strictObject({
      binary: z.string().default("qemu-system-x86_64"),
      /** The unprivileged user of VMs that have none of their own, and of new disks; `setup` creates it. */
      user: z.string().default("godwit-qemu"),
      /**
       * The uids (and gids) of VMs: each VM has one of them by its id, the same on every host, so this is the same on all
       * hosts. The default lies where systemd, shadow, SSSD and FreeIPA give no ids.
       */
      vmUids: z
        .strictObject({
          first: z.int().min(1000).default(2_010_000_000),
          count: z.int().min(1).default(100_000_000),
        })
        .refine(({ first, count }) => first + count <= 2 ** 32 - 2, "goes beyond the greatest uid")
        .prefault({}),
      /** Folder of QEMU's firmware files, where it is not the binary's own. */
      firmwareFolder: absolutePath.optional(),
      /** Folders that QEMU needs to read beside /usr and its own: of libraries, or of firmware. It sees no others. */
      readableFolders: z.array(absolutePath).default([]),
    })
    .prefault({}),
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** @throws FILE_UNREADABLE, CONFIG_INVALID with every problem and its line */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause: error });
  }
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    throw GodwitError.of("CONFIG_INVALID", { path, problems: document.errors.map((error) => error.message) });
  }
  const parsed = agentConfigSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`,
  );
  throw GodwitError.of("CONFIG_INVALID", { path, problems });
}

/** Where the agent keeps its certificates, as `host join` wrote them. */
export const pkiFolder = (config: Pick<AgentConfig, "stateFolder">): string => `${config.stateFolder}/pki`;
/** The host's credentials for migration streams, root's; QEMU gets a copy when it needs them. */
export const migrationCredentialsFolder = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${pkiFolder(config)}/migration`;
/** The last list of the cluster's members. */
export const membersFile = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${config.stateFolder}/members.json`;
/** The datastores that the inventory defines for this host. */
export const datastoresFile = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${config.stateFolder}/datastores.json`;
/** The switches and port groups that the inventory defines for this host. */
export const networksFile = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${config.stateFolder}/networks.json`;
/** The newest server that this agent has answered. */
export const cpuLimitsFile = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${config.stateFolder}/cpu-limits.json`;

export const serverGenerationFile = (config: Pick<AgentConfig, "stateFolder">): string =>
  `${config.stateFolder}/server-generation.json`;
