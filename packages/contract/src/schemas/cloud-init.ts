/**
 * What a new VM's guest is told at its first boot, by cloud-init: host name, SSH keys, the user's own data. It may hold
 * secrets: it is passed on to the host that makes the VM and kept nowhere else; a task tells only how much it was. The
 * VM's seed is an ISO image in its folder, in a CD-ROM drive of its own.
 */
import { z } from "zod";
import type { CdromDescription, CdromMedium } from "./cdrom.ts";

/** Of user data and of a network configuration, each. */
export const mostCloudInitBytes = 64 * 1024;
export const mostSshKeys = 32;

const hostnameSchema = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i,
    "must be a host name: letters, digits and inner hyphens, in parts that dots separate",
  );

/** A public key as in `authorized_keys`, without options. */
const sshKeySchema = z
  .string()
  .max(8192)
  .regex(
    /^(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{16,}={0,3}(?: [\x20-\x7e]*)?$/,
    "must be a public SSH key on one line, like ssh-ed25519 AAAA… name@host, its comment in ASCII",
  );

const textSchema = z
  .string()
  .min(1, "is empty")
  // No control characters but those that lay out a text.
  .regex(/^[\t\n\r\P{Cc}]*$/u, "must be text, without control characters")
  .refine(
    (text) => new TextEncoder().encode(text).length <= mostCloudInitBytes,
    `must have ${String(mostCloudInitBytes / 1024)} KiB at most`,
  );

export const cloudInitSchema = z.strictObject({
  /** Absent: the VM's name. */
  hostname: hostnameSchema.optional(),
  sshKeys: z.array(sshKeySchema).max(mostSshKeys).optional(),
  /** As it is: cloud-config, a script, or what else cloud-init reads. */
  userData: textSchema.optional(),
  /** In cloud-init's own format, version 1 or 2. */
  networkConfig: textSchema.optional(),
});
export type CloudInit = z.infer<typeof cloudInitSchema>;

/** What a task tells of it. */
export const cloudInitSummarySchema = z.object({
  hostname: z.string().nullable(),
  sshKeys: z.int(),
  userDataBytes: z.int(),
  networkConfigBytes: z.int(),
});

const bytesOf = (text: string | undefined): number => new TextEncoder().encode(text ?? "").length;

export const summaryOf = (cloudInit: CloudInit): z.infer<typeof cloudInitSummarySchema> => ({
  hostname: cloudInit.hostname ?? null,
  sshKeys: cloudInit.sshKeys?.length ?? 0,
  userDataBytes: bytesOf(cloudInit.userData),
  networkConfigBytes: bytesOf(cloudInit.networkConfig),
});

export const seedDriveName = "cloud-init";
/** Of a VM's seed, relative to its datastore. */
export const seedPath = (vm: string): string => `${vm}/cloud-init.iso`;

/** On a bus that cloud images' small kernels have a driver for: Debian's has none for the IDE bus of the q35 machine. */
export const seedDrive = (vm: string): CdromDescription => ({
  ...{ name: seedDriveName, iso: seedPath(vm), bus: "virtio-scsi" },
});

/** Whether a VM has a seed that was made for it, by its description. */
export const hasSeed = (vm: {
  name: string;
  datastore: string;
  cdroms?: readonly { name: string; medium: CdromMedium | null }[] | undefined;
}): boolean =>
  vm.cdroms?.some(
    ({ name, medium }) =>
      name === seedDriveName && medium?.datastore === vm.datastore && medium.path === seedPath(vm.name),
  ) ?? false;
