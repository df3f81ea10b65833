/**
 * A newer QEMU from the backports of this Debian release, unpacked beside the machine's own and kept. It uses the
 * machine's libraries, which Debian's backports are built for, and its own firmware.
 */
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { debianCodeName, unpackBackports } from "@godwit/debian";
import { run } from "@godwit/system";

const cacheFolder = "/var/cache/godwit/qemu";
/** Counted up when what is unpacked, or how it is laid out, changes. */
const recipe = 2;
const machineModules = "/usr/lib/x86_64-linux-gnu/qemu";
const packages = ["qemu-system-x86", "qemu-system-data", "qemu-system-common", "seabios"];
/** The BIOS, option ROMs and such: QEMU looks for all of them in one folder. */
const firmwareFolders = ["usr/share/qemu", "usr/share/seabios"];

export interface UnpackedQemu {
  binary: string;
  origin: string;
}

/** Null where none was unpacked yet. */
export async function unpackedBinary(): Promise<UnpackedQemu | null> {
  const codeName = await debianCodeName();
  if (codeName === null) return null;
  const folder = folderOf(codeName);
  const there = (await readdir(join(folder, "bin")).catch(() => [] as string[])).includes(
    "qemu-system-x86_64",
  );
  return there ? at(folder, codeName) : null;
}

/** Downloads and unpacks it, unless it is there. @throws PACKAGES_UNAVAILABLE, PROGRAM_FAILED when it does not run here */
export async function unpackQemu(): Promise<UnpackedQemu> {
  const found = await unpackedBinary();
  if (found !== null) return found;
  await mkdir(cacheFolder, { recursive: true });
  const work = await mkdtemp(join(cacheFolder, "unpacking-"));
  try {
    const tree = join(work, "tree");
    await unpackBackports(packages, tree);
    const codeName = (await debianCodeName()) ?? "";
    const folder = folderOf(codeName);
    const result = join(work, "result");
    await layOut(tree, result, folder);
    // A library that this machine lacks is reported here, and not by every VM.
    await run(join(result, "libexec/qemu-system-x86_64"), ["--version"], {
      what: "trying the unpacked QEMU",
    });
    await rm(folder, { recursive: true, force: true });
    await rename(result, folder);
    return at(folder, codeName);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const folderOf = (codeName: string): string => join(cacheFolder, `${codeName}-backports-${String(recipe)}`);

const at = (folder: string, codeName: string): UnpackedQemu => ({
  binary: join(folder, "bin/qemu-system-x86_64"),
  origin: `${codeName}-backports`,
});

/** `bin/qemu-system-x86_64` starts the real one in `libexec` with its own firmware and modules, at `folder`. */
async function layOut(tree: string, result: string, folder: string): Promise<void> {
  for (const name of ["bin", "libexec", "firmware"]) await mkdir(join(result, name), { recursive: true });
  await chmod(result, 0o755);
  await cp(join(tree, "usr/bin/qemu-system-x86_64"), join(result, "libexec/qemu-system-x86_64"));
  await cp(join(tree, "usr/lib/x86_64-linux-gnu/qemu"), join(result, "modules"), { recursive: true });
  for (const name of firmwareFolders)
    await cp(join(tree, name), join(result, "firmware"), { recursive: true });
  await coverModules(join(result, "modules"));
  const binary = join(result, "bin/qemu-system-x86_64");
  await writeFile(
    binary,
    [
      "#!/bin/sh",
      `QEMU_MODULE_DIR=${folder}/modules exec ${folder}/libexec/qemu-system-x86_64 -L ${folder}/firmware "$@"`,
      "",
    ].join("\n"),
  );
  await chmod(binary, 0o755);
}

/**
 * A module that is not unpacked QEMU looks for among those of the machine's own QEMU, and aborts over one of another build (asked
 * for all its types, as libvirt does). Over an empty file it says that it cannot open it.
 */
async function coverModules(folder: string): Promise<void> {
  const [own, machines] = await Promise.all([folder, machineModules].map(namesIn));
  for (const name of machines ?? [])
    if (own?.includes(name) === false) await writeFile(join(folder, name), "");
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
