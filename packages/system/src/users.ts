/** The unprivileged users that QEMU and the private database run as. */
import { readFile } from "node:fs/promises";
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

/**
 * Why these ids cannot be used here, as the end of a sentence; null: they can. In a user namespace there are only those
 * that are mapped.
 */
export async function idsUnmapped(first: number, count: number): Promise<string | null> {
  for (const kind of ["uid", "gid"] as const) {
    const map = await readFile(`/proc/self/${kind}_map`, "utf8");
    if (!isMapped(map, first, count))
      return `${kind}s ${String(first)} to ${String(first + count - 1)} are not mapped in this user namespace`;
  }
  return null;
}

/** @param map the text of `/proc/PID/uid_map`: a line for each range, with its first id here, outside, and its length */
export function isMapped(map: string, first: number, count: number): boolean {
  return map.split("\n").some((line) => {
    const [from = NaN, , length = NaN] = line.trim().split(/\s+/).map(Number);
    return first >= from && first + count <= from + length;
  });
}
