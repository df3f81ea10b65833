/**
 * CHAP secrets of the iSCSI targets that a QEMU is the client of: in files of its run folder that only its user can read, there
 * while it starts. On its command line stand their paths. QEMU's client proves itself to the target; it asks for no proof of the
 * target's (no mutual CHAP).
 */
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { UserIds } from "@godwit/system";
import type { LaunchSpec } from "./launch-spec.ts";

/** @returns undefined: it is not known here */
export type ChapSecretOf = (target: string) => string | undefined;

/** The targets that want CHAP, each once, in order: a secret's number is its place. */
const targetsOf = ({ luns }: Pick<LaunchSpec, "luns">): string[] => [
  ...new Set(Object.values(luns).flatMap(({ chapUser, target }) => (chapUser === undefined ? [] : [target]))),
];

const folderIn = (runFolder: string): string => join(runFolder, "chap");
const idOf = (index: number): string => `chap.${String(index)}`;

/** QEMU's objects of the secrets, as words of its command line. */
export const chapObjects = (spec: Pick<LaunchSpec, "luns">, runFolder: string): string[] =>
  targetsOf(spec).flatMap((_, index) => [
    "-object",
    JSON.stringify({ "qom-type": "secret", id: idOf(index), file: join(folderIn(runFolder), String(index)) }),
  ]);

/** What a LUN's block node says of it. */
export function chapOptions(spec: Pick<LaunchSpec, "luns">, disk: string): Record<string, string> {
  const { chapUser, target = "" } = spec.luns[disk] ?? {};
  if (chapUser === undefined) return {};
  return { user: chapUser, "password-secret": idOf(targetsOf(spec).indexOf(target)) };
}

/** Puts them there. @throws Error when one is not known here */
export async function lendChapSecrets(
  spec: Pick<LaunchSpec, "luns">,
  runFolder: string,
  user: UserIds,
  secretOf: ChapSecretOf,
): Promise<void> {
  const targets = targetsOf(spec);
  if (targets.length === 0) return;
  const folder = folderIn(runFolder);
  await mkdir(folder, { mode: 0o700 });
  for (const [index, target] of targets.entries()) {
    const secret = secretOf(target);
    if (secret === undefined)
      throw new Error(`the CHAP secret of target ${target} is not known on this host`);
    const path = join(folder, String(index));
    await writeFile(path, secret, { flag: "wx", mode: 0o600 });
    await chown(path, user.uid, user.gid);
  }
  await chown(folder, 0, user.gid);
  await chmod(folder, 0o710);
}

export async function takeChapSecrets(runFolder: string): Promise<void> {
  await rm(folderIn(runFolder), { recursive: true, force: true });
}
