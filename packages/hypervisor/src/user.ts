/** How a program is started as the unprivileged user of QEMU. */
import { run, userIds } from "@godwit/system";

/** The words before a program's own that make it run as this user, with no more than the KVM device beside. */
export async function asUser(name: string): Promise<string[]> {
  const { uid, gid } = await userIds(name);
  const kvm = await run("getent", ["group", "kvm"], { what: "looking for group kvm", okCodes: [0, 2] });
  // By number: where it is used there may be no list of groups.
  const [, , kvmGid] = kvm.stdout.split(":");
  const groups = kvmGid === undefined ? ["--clear-groups"] : ["--groups", kvmGid];
  return ["setpriv", "--reuid", String(uid), "--regid", String(gid), ...groups, "--no-new-privs", "--"];
}
