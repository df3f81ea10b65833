/** The unprivileged users that QEMU and the private database run as. */
import { GodwitError } from "@godwit/contract/errors";
import { run } from "./run.ts";

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
      what: `There is no user ${name}.`,
      hint: "Run ./godwit setup.",
    });
  }
  return { uid: Number(uid), gid: Number(gid) };
}
