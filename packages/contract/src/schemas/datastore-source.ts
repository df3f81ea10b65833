/** Where a datastore is: one place a kind. */
import { z } from "zod";

/** A folder, as it may stand in a definition: absolute, of plain names, without `.` and `..`. */
export const datastoreFolderSchema = z
  .string()
  .max(200)
  .regex(/^(?:\/[A-Za-z0-9._-]+)+$/, "must be an absolute path of plain names")
  .refine((path) => !/\/\.{1,2}(?:\/|$)/.test(path), "must not contain . or ..");

/** As hosts report it and as it is kept: what an agent's configuration names may have other characters. */
const knownFolder = z
  .string()
  .max(4096)
  .regex(/^\/[^\0\n]*$/, "must be an absolute path");

/** A host name, or an address without brackets. */
const nfsServerSchema = z
  .union([z.ipv4(), z.ipv6(), z.hostname()], "must be a host name or an IP address")
  .refine((server) => server.length <= 253, "is too long");

/** Absent: the newest that both sides know. */
const nfsVersionSchema = z.enum(["3", "4.0", "4.1", "4.2"]).optional();

/** An iSCSI qualified name or an EUI of a target, see RFC 7143, 4.2.7. */
const iscsiNameSchema = z
  .string()
  .max(223)
  .regex(
    /^(?:iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(?::[a-z0-9.:-]+)?|eui\.[0-9a-fA-F]{16})$/,
    "must be an iSCSI name, like iqn.2026-01.com.example:vms",
  );

/** A name by CHAP, as targets know it. */
const chapUserSchema = z.string().regex(/^[\x21-\x7e]{1,223}$/, "must be a CHAP name without spaces");
/** QEMU's client takes no longer one. */
export const chapSecretSchema = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, "must be a CHAP secret of 1 to 255 printable ASCII characters");

const iscsiShape = {
  kind: z.literal("iscsi"),
  /** An IP address without brackets: QEMU asks nobody for names. */
  portal: z.union([z.ipv4(), z.ipv6()], "must be an IP address"),
  /** Absent: 3260. */
  port: z.int().min(1).max(65_535).optional(),
  target: iscsiNameSchema,
};

/** A LUN's world wide name (NAA) or EUI-64/NGUID: what `/dev/disk/by-id/wwn-0x…` has after `0x`. */
const wwnSchema = z
  .string()
  .regex(/^[0-9a-f]{16}(?:[0-9a-f]{16})?$/, "must be a WWN of 16 or 32 hexadecimal digits in lower case");

const lunShape = { kind: z.literal("lun"), wwn: wwnSchema };

/**
 * Where a datastore is. `directory`: a folder of the host, local or with storage mounted there by its administrator. `nfs`: a
 * folder that an NFS server exports; the host's agent mounts it. `iscsi`: a target, whose LUNs are disks as they are; QEMU itself
 * is its client. `lun`: a block device that the hosts' kernels share, by FC or a session of open-iscsi, with a volume for each
 * disk. Neither of these two has files, so no VM's folder.
 */
export const datastoreSourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("directory"), path: knownFolder }),
  z.object({
    kind: z.literal("nfs"),
    server: nfsServerSchema,
    path: datastoreFolderSchema,
    version: nfsVersionSchema,
  }),
  z.object({
    ...iscsiShape,
    /** What its target is shown; the secret itself is kept apart, and has another id when it is another. */
    chap: z.object({ user: chapUserSchema, secretId: z.string().regex(/^[0-9a-f]{32}$/) }).optional(),
  }),
  z.object(lunShape),
]);
export type DatastoreSource = z.infer<typeof datastoreSourceSchema>;
export type DatastoreKind = DatastoreSource["kind"];
export type NfsSource = Extract<DatastoreSource, { kind: "nfs" }>;
export type IscsiSource = Extract<DatastoreSource, { kind: "iscsi" }>;
export type LunSource = Extract<DatastoreSource, { kind: "lun" }>;
/** One with files: VMs' folders, images, ISO images. */
export type FolderSource = Exclude<DatastoreSource, IscsiSource | LunSource>;

/** As an operator may define it. */
export const newSourceSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("directory"), path: datastoreFolderSchema }),
  z.strictObject({
    kind: z.literal("nfs"),
    server: nfsServerSchema,
    path: datastoreFolderSchema,
    version: nfsVersionSchema,
  }),
  z.strictObject({
    ...iscsiShape,
    /** The secret is never answered. */
    chap: z.strictObject({ user: chapUserSchema, secret: chapSecretSchema }).optional(),
  }),
  z.strictObject(lunShape),
]);

/** Whether it has files. */
export const hasFolders = (source: DatastoreSource): source is FolderSource =>
  source.kind !== "iscsi" && source.kind !== "lun";

/** Whether hosts keep leases on it, of VMs or of its volumes' metadata. */
export const hasLeases = (source: DatastoreSource): boolean => source.kind !== "iscsi";

/** How a host's QEMU names itself to iSCSI targets, for their lists of who may connect. */
export const initiatorOf = (host: string): string => `iqn.2008-11.org.linux-kvm:${host.toLowerCase()}`;

/** Whether two places are the same. */
export const isSameSource = (a: DatastoreSource, b: DatastoreSource): boolean =>
  a.kind === b.kind &&
  sourceText(a) === sourceText(b) &&
  versionOf(a) === versionOf(b) &&
  chapText(a) === chapText(b);

const chapText = (source: DatastoreSource): string =>
  source.kind === "iscsi" && source.chap !== undefined ? `${source.chap.secretId} ${source.chap.user}` : "";

const versionOf = (source: DatastoreSource): string | undefined =>
  source.kind === "nfs" ? source.version : undefined;

/** A place in one line; of NFS as `mount` takes it, of iSCSI without its LUN as QEMU does. */
export function sourceText(source: DatastoreSource): string {
  switch (source.kind) {
    case "directory":
      return source.path;
    case "nfs":
      return `${inBrackets(source.server)}:${source.path}`;
    case "iscsi":
      return `iscsi://${portalText(source)}/${source.target}`;
    case "lun":
      return `wwn-0x${source.wwn}`;
  }
}

/** Address and port. */
export const portalText = ({ portal, port = 3260 }: IscsiSource): string =>
  `${inBrackets(portal)}:${String(port)}`;

const inBrackets = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** A LUN as a path on its datastore, `lun-3`; null: it is none. */
export function lunOf(path: string): number | null {
  const [, number] = /^lun-(0|[1-9]\d{0,4})$/.exec(path) ?? [];
  return number === undefined ? null : Number(number);
}

/** Longer, and device-mapper has no room for the volume's name. */
export const mostVolumeNameLength = 24;

/** The volume of a VM's disk on a datastore of kind `lun`, as the disk's path: `vol.VMID.DISK`, the id without hyphens. */
export const volumePath = (vmId: string, disk: string): string => `vol.${vmId.replaceAll("-", "")}.${disk}`;

/** Whether a path is that of a volume, of whichever VM. */
export const isVolumePath = (path: string): boolean => /^vol\.[0-9a-f]{32}\.[a-z0-9-]{1,24}$/.test(path);

/** Whether a disk of this path is a LUN or a volume, and no file. */
export const isBlockPath = (path: string): boolean => lunOf(path) !== null || isVolumePath(path);
