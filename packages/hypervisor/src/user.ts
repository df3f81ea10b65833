/** The unprivileged user that every QEMU runs as. */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";

/** Makes a system user without login where it is not there yet. */
export async function ensureUser(name: string): Promise<void> {
  const { exitCode } = await run("getent", ["passwd", name], {
    what: `looking for user ${name}`,
    okCodes: [0, 2],
  });
  if (exitCode === 0) return;
  await run(
    "useradd",
    ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
    {
      what: `creating user ${name}`,
      okCodes: [0, 9], // 9: somebody made it in the meantime
    },
  );
}

export interface UserIds {
  uid: number;
  gid: number;
}

/** @throws USAGE when there is no such user */
export async function userIds(name: string): Promise<UserIds> {
  const { stdout } = await run("getent", ["passwd", name], {
    what: `looking for user ${name}`,
    okCodes: [0, 2],
  });
  const [, , uid, gid] = stdout.split(":");
  if (uid === undefined || gid === undefined) {
    throw GodwitError.of("USAGE", {
      what: `There is no user ${name} for QEMU to run as.`,
      hint: "Run ./godwit setup.",
    });
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** The words before a program's own that make it run as this user, with no more than the KVM device beside. */
export async function asUser(name: string): Promise<string[]> {
  const { uid, gid } = await userIds(name);
  const kvm = await run("getent", ["group", "kvm"], { what: "looking for group kvm", okCodes: [0, 2] });
  const groups = kvm.exitCode === 0 ? ["--groups", "kvm"] : ["--clear-groups"];
  return ["setpriv", "--reuid", String(uid), "--regid", String(gid), ...groups, "--no-new-privs", "--"];
}
