/**
 * Whose a VM's disks are: a user of the VM's own, which no other VM's QEMU runs as. They are given to it at a start, by
 * the host that has the exclusive lease, and never while a move goes on: the source's QEMU still runs then.
 */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { GodwitError, hasSeed, nvramPath, seedPath, tpmFiles, tpmFolder, type Vm } from "@godwit/contract";
import { limitedAs, run, type UserIds } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import { protectBase } from "./disk-base.ts";
import { refusals } from "./refusals.ts";
import type { VmDatastores } from "./vm-datastores.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Makes a VM's disks, its UEFI variables, its TPM's state, and its seed with its secrets, its user's, and closes them to all others. They were checked to be the VM's own. Bases of linked disks are closed to writers.
 * @returns why the storage does not allow that, the end of a sentence; null: they are the user's
 * @throws the system's error when that could not be found out
 */
export async function giveDisks(stores: VmDatastores, vm: Vm, user: UserIds): Promise<string | null> {
  for (const { path } of stores.bases(vm.disks)) await protectBase(path);
  for (const { datastore, path } of [
    ...stores.files(vm.disks),
    ...nvramOf(vm),
    ...(await seedOf(stores.own, vm)),
    ...(await tpmOf(stores.own, vm)),
  ]) {
    const store = stores.named(datastore);
    const refusal = await give(store.resolve(path), user);
    if (refusal !== null)
      return `datastore ${store.config.name} does not let disks be given to a user of the VM's own (${refusal})`;
  }
  return null;
}

const nvramOf = (vm: Vm): { datastore?: undefined; path: string }[] =>
  vm.firmware === undefined ? [] : [{ path: nvramPath(vm.name) }];

/** Where it is; a user may have removed it, and the drive is then refused by its own check. */
async function seedOf(own: Datastore, vm: Vm): Promise<{ datastore?: undefined; path: string }[]> {
  const path = seedPath(vm.name);
  return hasSeed(vm) && (await own.look(path)) === "file" ? [{ path }] : [];
}

/** The folder of its TPM's state, and what is in it of that. */
async function tpmOf(own: Datastore, vm: Vm): Promise<{ datastore?: undefined; path: string }[]> {
  if (vm.tpm !== true) return [];
  const folder = tpmFolder(vm.name);
  const files = tpmFiles.map(async (name) => {
    const path = `${folder}/${name}`;
    return (await own.look(path)) === "file" ? [{ path }] : [];
  });
  return [...(await Promise.all(files)).flat(), { path: folder }];
}

/** @returns the system's code of the refusal */
async function give(path: string, { uid, gid }: UserIds): Promise<string | null> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const found = await file.stat();
    if (found.uid !== uid || found.gid !== gid) await file.chown(uid, gid);
    const mode = found.isDirectory() ? 0o700 : 0o600;
    if ((found.mode & 0o7777) !== mode) await file.chmod(mode);
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (refusals.includes(code)) return code;
    throw error;
  } finally {
    await file?.close();
  }
}

/** Opens files as QEMU will, and changes none of them; tells the number of the first that it cannot open, and why. */
const opener = `
use Fcntl qw(O_RDONLY O_RDWR O_NONBLOCK);
for (0 .. $#ARGV) {
    my ($how, $path) = $ARGV[$_] =~ /^(r|rw):(.*)$/s;
    sysopen my $file, $path, ($how eq 'rw' ? O_RDWR : O_RDONLY) | O_NONBLOCK or do { print "$_ $!"; exit };
}
`;

export interface OpensToCheck {
  host: string;
  /** That QEMU runs as. */
  user: UserIds;
  /** Of a VM that runs elsewhere and is to come: what its QEMU runs as there. */
  sourceUid?: number;
}

interface FileToOpen {
  /** Absolute. */
  path: string;
  how: "r" | "rw";
}

/** Opens files as a user would, and closes them again. @throws PROGRAM_FAILED */
export async function firstUnopenable<File extends FileToOpen>(
  files: readonly File[],
  vm: string,
  user: UserIds,
): Promise<(File & { reason: string }) | null> {
  if (files.length === 0) return null;
  const [program, ...args] = [...limitedAs(user), "/usr/bin/perl", "-e", opener, "--"];
  const words = files.map(({ how, path }) => `${how}:${path}`);
  const { stdout } = await run(program, [...args, ...words], {
    what: `opening the files of VM ${vm} as uid ${String(user.uid)}`,
    timeoutMs: 15_000,
  });
  const [, index, reason = ""] = /^(\d+) (.*)$/s.exec(stdout) ?? [];
  const file = files[Number(index)];
  return file === undefined ? null : { ...file, reason };
}

/**
 * That QEMU can open what the VM has on its datastores: it opens disks for writing only when the VM is about to run, which
 * in a move is too late to learn of.
 * @throws DISK_PERMISSION_DENIED, PROGRAM_FAILED; of LUNs what `LunStore.probe` throws
 */
export async function checkOpens(stores: VmDatastores, vm: Vm, o: OpensToCheck): Promise<void> {
  const files = [
    ...stores.volumes(vm.disks).map(({ disk, store }) => ({
      what: `disk ${disk.name}`,
      path: store.deviceOf({ vm, disk }),
      how: "rw" as const,
    })),
    ...stores
      .files(vm.disks)
      .map((disk) => ({ what: `disk ${disk.name}`, path: stores.pathOf(disk), how: "rw" as const })),
    ...stores
      .bases(vm.disks)
      .map(({ disk, path }) => ({ what: `the base of disk ${disk}`, path, how: "r" as const })),
    ...nvramOf(vm).map(({ path }) => ({
      what: "UEFI variables",
      path: stores.own.resolve(path),
      how: "rw" as const,
    })),
    ...(vm.tpm === true
      ? [{ what: "the TPM's state", path: stores.own.resolve(tpmFolder(vm.name)), how: "r" as const }]
      : []),
    ...[vm.boot?.kernel, vm.boot?.initrd].flatMap((path) =>
      path === undefined ? [] : [{ what: "boot file", path: stores.own.resolve(path), how: "r" as const }],
    ),
  ];
  for (const { disk, store } of stores.luns(vm.disks))
    await store.probe({ vm: vm.name, disk: disk.name, path: disk.path, user: o.user });
  const refused = await firstUnopenable(files, vm.name, o.user);
  if (refused === null) return;
  const { what, path, reason } = refused;
  const sourceUid = o.sourceUid === undefined || o.sourceUid === o.user.uid ? null : o.sourceUid;
  const details = { vm: vm.name, what, path, host: o.host, uid: o.user.uid, sourceUid, reason };
  throw GodwitError.of("DISK_PERMISSION_DENIED", details);
}
