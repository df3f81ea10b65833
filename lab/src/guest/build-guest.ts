/**
 * The lab's guest, built from the distribution's packages: the cloud kernel, busybox, redis-server on a
 * disk of its own, QEMU's guest agent, and a program that dirties memory, compiled
 * where the machine has gcc. Built once and kept; a change of its recipe builds again.
 */
import { createHash } from "node:crypto";
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { copyProgram, firstOf, packageBehind, unpackPackages, withLibraries } from "@godwit/debian";
import { run } from "@godwit/system";

export interface GuestImage {
  kernel: string;
  initrd: string;
  /** An empty data disk, qcow2. */
  disk: string;
}

/** The cloud kernel has drivers for virtio only; the full one has those of a PC, and takes longer to load. */
export type GuestKernel = "cloud" | "full";

const kernels = {
  cloud: { package: "linux-image-cloud-amd64", image: /^linux-image-\d.*-cloud-amd64$/ },
  full: { package: "linux-image-amd64", image: /^linux-image-\d[^-]*-\d+-amd64$/ },
} as const satisfies Record<GuestKernel, { package: string; image: RegExp }>;

const cacheFolder = "/var/cache/godwit/guest";
/** Counted up when the recipe below changes in a way that its files do not show. */
const recipe = 1;
const recipeFiles = ["init.sh", "redis.conf", "dirtier.c", "dirtier.pl", "cpuid.pl", "build-guest.ts"];
const dataDiskMib = 256;

/** With all that they need; the cloud kernel has neither a PC's buttons nor all of ext4 built in. */
const modules = [
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  "virtio_rng",
  "virtio_balloon",
  "ext4",
  "crc32c_generic",
  "button",
  "evdev",
  "cpuid",
  "virtio_console",
  "virtio_scsi",
  "sr_mod",
  "isofs",
  "ahci",
  "sd_mod",
  "e1000",
  "e1000e",
];
/** Files of these modules, and of those that they need. */
const moduleFile =
  /^(?:virtio.*|ext4|jbd2|mbcache|.*crc.*|button|evdev|cpuid|(?:net_)?failover|rng-core|scsi_(?:mod|common)|s[rd]_mod|cdrom|isofs|(?:lib)?ahci|libata|e1000e?|ptp|pps_core|t10-pi)\.ko(?:\.xz)?$/;

/** The guest's files; null where they have not been built yet. */
export async function findGuest(kernel: GuestKernel = "cloud"): Promise<GuestImage | null> {
  const image = imageIn(join(cacheFolder, await recipeKey(kernel)));
  const present = await Promise.all(
    Object.values(image).map((path: string) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return present.every(Boolean) ? image : null;
}

/** The guest's files, built where they are not there. @throws PROGRAM_MISSING, PROGRAM_FAILED, SPACE_SHORT */
export async function buildGuest(
  onStep: (text: string) => void,
  kind: GuestKernel = "cloud",
): Promise<GuestImage> {
  const found = await findGuest(kind);
  if (found !== null) return found;
  await mkdir(cacheFolder, { recursive: true });
  const work = await mkdtemp(join(cacheFolder, "building-"));
  try {
    const packages = join(work, "packages");
    onStep("downloading the guest's packages");
    const kernel = await packageBehind(kernels[kind].package, kernels[kind].image);
    await unpackPackages([kernel], `${packages}-kernel`);
    const programs = ["redis-server", "redis-tools", "busybox-static", "perl-base", "qemu-guest-agent"];
    await unpackPackages(await withLibraries(programs), packages);
    const result = join(work, "result");
    await mkdir(result);
    onStep("building the guest");
    await buildInitrd(packages, `${packages}-kernel`, join(work, "root"), join(result, "initrd"));
    await copyFile(await kernelIn(`${packages}-kernel`), join(result, "kernel"));
    await buildDisk(work, join(result, "data.qcow2"));
    const target = join(cacheFolder, await recipeKey(kind));
    await rm(target, { recursive: true, force: true });
    await rename(result, target);
    return imageIn(target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const imageIn = (folder: string): GuestImage => ({
  kernel: join(folder, "kernel"),
  initrd: join(folder, "initrd"),
  disk: join(folder, "data.qcow2"),
});

/** Of the machine's compiler; empty where it has none. */
async function compilerVersion(): Promise<string> {
  return await run("gcc", ["--version"], { what: "looking for a compiler" }).then(
    ({ stdout }) => stdout.split("\n")[0] ?? "",
    () => "",
  );
}

async function recipeKey(kernel: GuestKernel): Promise<string> {
  const hash = createHash("sha256").update(`${String(recipe)} ${kernel}`);
  hash.update(await compilerVersion());
  for (const name of recipeFiles) hash.update(await readFile(new URL(name, import.meta.url)));
  return hash.digest("hex").slice(0, 16);
}

/** A root with exactly the files that the guest runs, packed as the kernel wants it. */
async function buildInitrd(packages: string, kernel: string, root: string, target: string): Promise<void> {
  for (const folder of ["bin", "usr/bin", "dev", "proc", "sys", "etc", "tmp", "usr/lib/godwit", "lib64"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const own = (name: string) => new URL(name, import.meta.url);
  await copyFile(await firstOf(packages, ["bin/busybox", "usr/bin/busybox"]), join(root, "bin/busybox"));
  await copyFile(own("init.sh"), join(root, "init"));
  await chmod(join(root, "init"), 0o755);
  await copyFile(own("redis.conf"), join(root, "etc/redis.conf"));
  for (const name of ["dirtier.pl", "cpuid.pl"])
    await copyFile(own(name), join(root, "usr/lib/godwit", name));
  if ((await compilerVersion()) !== "")
    await run(
      "gcc",
      ["-O2", "-static", "-o", join(root, "usr/lib/godwit/dirtier"), own("dirtier.c").pathname],
      { what: "compiling the guest's dirtier", timeoutMs: 120_000 },
    );
  await writeFile(join(root, "etc/modules"), `${modules.join("\n")}\n`);
  // redis-server is a link to redis-check-rdb's binary in some versions: the content counts.
  for (const program of ["bin/redis-server", "bin/redis-cli", "bin/perl", "sbin/qemu-ga"]) {
    await copyProgram(packages, `usr/${program}`, root);
  }
  const perlBase = "usr/lib/x86_64-linux-gnu/perl-base";
  await cp(join(packages, perlBase), join(root, perlBase), { recursive: true });
  await copyModules(kernel, root, join(root, "bin/busybox"));
  await run(
    "sh",
    // The only shell here: a pipe of fixed programs over a folder that is given as an argument.
    ["-c", 'cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$2"', "pack", root, target],
    { what: "packing the guest's root", timeoutMs: 120_000 },
  );
}

/** The modules with what they depend on, uncompressed, and an index for modprobe. */
async function copyModules(kernel: string, root: string, busybox: string): Promise<void> {
  const base = await firstOf(kernel, ["lib/modules", "usr/lib/modules"]);
  const [version = ""] = await readdir(base);
  const tree = join(root, "lib/modules", version);
  const files = (await readdir(join(base, version), { recursive: true })).filter((name) =>
    moduleFile.test(basename(name)),
  );
  for (const name of files) {
    const target = join(tree, name);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(base, version, name), target);
    if (name.endsWith(".xz")) await run("xz", ["-d", target], { what: `unpacking module ${name}` });
  }
  for (const name of ["modules.builtin", "modules.order", "modules.builtin.modinfo"]) {
    await copyFile(join(base, version, name), join(tree, name)).catch(() => undefined);
  }
  await run(busybox, ["depmod", "-b", root, version], { what: "indexing the guest's modules" });
}

async function kernelIn(kernel: string): Promise<string> {
  const [name = ""] = (await readdir(join(kernel, "boot"))).filter((file) => file.startsWith("vmlinuz-"));
  return join(kernel, "boot", name);
}

async function buildDisk(work: string, target: string): Promise<void> {
  const raw = join(work, "data.raw");
  const words = { what: "making the guest's data disk" };
  await run("qemu-img", ["create", "-q", "-f", "raw", raw, `${String(dataDiskMib)}M`], words);
  await run("mkfs.ext4", ["-q", "-F", "-O", "^metadata_csum", "-E", "lazy_itable_init=0", raw], words);
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, target], words);
}
