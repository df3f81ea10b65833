/**
 * The unprivileged users that QEMU runs as. Each VM has one of its own, by number: it follows from the VM's id, so it is
 * the same on every host, and a disk on shared storage belongs to the same uid wherever the VM runs.
 */
import { createHash } from "node:crypto";
import { run, type UserIds } from "@godwit/system";

/** `count` uids from `first`, and the gids of the same numbers. */
export interface UidRange {
  first: number;
  count: number;
}

/** Two VMs may get the same one, and are then kept apart by their namespaces only. */
export function vmUser(vmId: string, { first, count }: UidRange): UserIds {
  const id = first + (createHash("sha256").update(vmId).digest().readUInt32BE(0) % count);
  return { uid: id, gid: id };
}

/** Who may use `/dev/kvm`, by number: where it is used there may be no list of groups; null where there is no such group. */
export async function kvmGroup(): Promise<string | null> {
  const { stdout } = await run("getent", ["group", "kvm"], {
    what: "looking for group kvm",
    okCodes: [0, 2],
  });
  return stdout.split(":")[2] ?? null;
}

/** The words before a program's own that make it run as this user, with no more than the KVM device beside. @param profile of AppArmor; null: none */
export const asUser = ({ uid, gid }: UserIds, kvmGid: string | null, profile: string | null): string[] => [
  "setpriv",
  // Before a parent-death signal is set: the kernel resets that when a process comes under a profile.
  ...(profile === null ? [] : ["--apparmor-profile", profile]),
  ...["--reuid", String(uid), "--regid", String(gid)],
  ...(kvmGid === null ? ["--clear-groups"] : ["--groups", kvmGid]),
  ...["--no-new-privs", "--"],
];
