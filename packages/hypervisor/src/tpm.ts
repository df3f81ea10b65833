/**
 * A VM's TPM: a program beside its QEMU (swtpm), as the VM's user, with a file system of its own and no network. It is started by the
 * process that becomes QEMU, over a pair of sockets that nobody else has, and ends with it.
 *
 * Where it keeps its state is a link in the run folder, which belongs to root: to the VM's folder on the datastore or, at a move's
 * destination, to a folder of this host's, until the VM has permission to run here. What comes with the stream is what the source's
 * TPM has written: so the source's state stays untouched until nobody there can change it any more, however the move ends.
 */
import { readFileSync } from "node:fs";
import { access, chown, constants, mkdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { UserIds } from "@godwit/system";
import { confinedTpm } from "./confinement.ts";
import { runDescriptors, type LaunchSpec, type RunPaths } from "./launch-spec.ts";
import { asUser } from "./user.ts";

const emulator = "/usr/bin/swtpm";
const starter = fileURLToPath(new URL("with-tpm.pl", import.meta.url));

/**
 * What a TPM forgets at a power-off is in a file for a moment, while QEMU asks for it for a move or a snapshot. Where all ended in that
 * moment it is still there, and the emulator would go on from it: a guest that boots would find the measurements of the boot before.
 */
const forget = `unlink shift or $!{ENOENT} or die "what the VM's TPM should have forgotten: $!\\n"; exec {$ARGV[0]} @ARGV or die $!`;
const volatileState = "tpm2-00.volatilestate";

/** Whether this host can emulate one. */
export const hasTpmEmulator = async (): Promise<boolean> =>
  await access(emulator, constants.X_OK).then(
    () => true,
    () => false,
  );

/** In the run folder: the link, what it is replaced by, and the folder of this host's own. */
const places = ({ folder }: RunPaths) => ({
  folder: join(folder, "tpm"),
  state: join(folder, "tpm/state"),
  next: join(folder, "tpm/next"),
  here: join(folder, "tpm/here"),
});

/** The run folder is new. */
export async function prepareTpm(
  { tpm, incoming }: LaunchSpec,
  paths: RunPaths,
  user: UserIds,
): Promise<void> {
  if (tpm === undefined) return;
  const { folder, state, next, here } = places(paths);
  await mkdir(folder, { mode: 0o755 });
  if (!incoming) {
    await symlink(tpm.folder, state);
    return;
  }
  await mkdir(here, { mode: 0o700 });
  await chown(here, user.uid, user.gid);
  await symlink("here", state);
  await symlink(tpm.folder, next);
}

/**
 * From now on the VM's TPM writes to the VM's folder. Nobody else runs the VM any more. Repeated without harm.
 *
 * The lock there is the source's still, whose TPM may take its time to end, or hang with its host. At a reset of the guest this one locks
 * the folder, and QEMU ends where it cannot: so what the source has locked is taken away. The guest does not wait for that.
 */
export async function takeTpm({ tpm }: LaunchSpec, paths: RunPaths): Promise<void> {
  if (tpm === undefined) return;
  const { state, next } = places(paths);
  try {
    await rename(next, state);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || (await readlink(state)) !== tpm.folder)
      throw error;
  }
  void rm(join(tpm.folder, ".lock"), { force: true }).catch(() => undefined);
}

/** The words before QEMU's own that start its TPM beside it; they need root. @param profile of AppArmor; null: none */
export function withTpm(
  { tpm }: LaunchSpec,
  paths: RunPaths,
  {
    root,
    user,
    kvmGid,
    profile,
  }: { root: string; user: UserIds; kvmGid: string | null; profile: string | null },
): string[] {
  if (tpm === undefined) return [];
  const { folder, state } = places(paths);
  const descriptor = String(runDescriptors.tpm);
  const words = [
    ...["/usr/bin/unshare", "--net", "--"],
    ...confinedTpm(root, profile !== null, [tpm.folder, folder]),
    ...asUser(user, kvmGid, null),
    ...["/usr/bin/perl", "-e", forget, `${state}/${volatileState}`],
    // The kernel resets a parent-death signal when a process comes under a profile.
    ...(profile === null ? [] : ["setpriv", "--apparmor-profile", profile, "--"]),
    ...["setpriv", "--pdeathsig", "KILL", "--"],
    ...[emulator, "socket", "--tpm2", "--tpmstate", `dir=${state},mode=0600`],
    ...["--ctrl", `type=unixio,clientfd=${descriptor}`, "--terminate", "--seccomp", "action=kill"],
  ];
  return ["/usr/bin/perl", starter, paths.folder, descriptor, String(words.length), ...words];
}

/** Whether a QEMU's TPM has ended, and QEMU has not: QEMU says nothing of it. */
export function tpmHasEnded({ tpm }: LaunchSpec, paths: RunPaths): boolean {
  if (tpm === undefined) return false;
  try {
    const pid = readFileSync(join(paths.folder, "swtpm.pid"), "utf8").trim();
    // QEMU, whose child it is, does not ask for its end: until QEMU's own it stays as a zombie, and its number is nobody else's.
    return /^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
