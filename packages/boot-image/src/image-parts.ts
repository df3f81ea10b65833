/**
 * What the image is made of, from Debian's packages, in a cache: the kernel, the few modules, Perl, the
 * boot loaders (isolinux for BIOS; shim and GRUB, both signed, for UEFI) and the two programs that write the
 * image. Keyed by the packages' versions: a newer kernel in apt's lists makes a newer image.
 */
import { createHash } from "node:crypto";
import {
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
import { join } from "node:path";
import {
  candidateVersions,
  copyProgram,
  firstOf,
  packageBehind,
  unpackPackages,
  withLibraries,
} from "@godwit/debian";
import { modulesOf } from "./kernel-modules.ts";
import { cacheFolder } from "@godwit/system";

export interface ImageParts {
  kernel: string;
  kernelVersion: string;
  /** The root of the report's system: Perl and, in `modules`, the kernel's modules with their order. */
  root: string;
  /** Boot loaders, by the names that they have in the image. */
  loaders: string;
  /** Unpacked packages with xorriso and mtools. */
  tools: string;
}

/** Counted up when the parts below change in a way that package versions do not show. */
const partsRevision = 1;
const kernelPackage = "linux-image-amd64";
const rootPackages = ["perl-base"];
const loaderPackages = ["isolinux", "syslinux-common", "shim-signed", "grub-efi-amd64-signed"];
const toolPackages = ["xorriso", "mtools"];

/** CPUID and MSRs; a screen where the firmware's is all there is; keyboards, which on servers are USB's. */
const modules = [
  ...["cpuid", "msr", "simpledrm", "i8042", "atkbd"],
  ...["xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd", "usbhid", "hid_generic"],
];

const loaderFiles: Readonly<Record<string, string>> = {
  "isolinux.bin": "usr/lib/ISOLINUX/isolinux.bin",
  "isohdpfx.bin": "usr/lib/ISOLINUX/isohdpfx.bin",
  "ldlinux.c32": "usr/lib/syslinux/modules/bios/ldlinux.c32",
  "bootx64.efi": "usr/lib/shim/shimx64.efi.signed",
  "grubx64.efi": "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
};

/** The parts, downloaded where they are not in the cache. @throws PACKAGES_UNAVAILABLE, PROGRAM_FAILED */
export async function imageParts(onProgress: (text: string) => void): Promise<ImageParts> {
  const versions = await candidateVersions([
    kernelPackage,
    ...rootPackages,
    ...loaderPackages,
    ...toolPackages,
  ]);
  const cache = join(cacheFolder(), "boot-image");
  const key = createHash("sha256")
    .update([partsRevision, ...versions].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const target = join(cache, key);
  if ((await stat(target).catch(() => null)) === null) {
    await mkdir(cache, { recursive: true });
    const work = await mkdtemp(join(cache, "fetching-"));
    try {
      await fetch(work, onProgress);
      await rename(join(work, "result"), target).catch(async (error: unknown) => {
        // Another process was faster: its result is as good.
        if ((await stat(target).catch(() => null)) === null) throw error;
      });
      await removeOldParts(cache, key);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  return {
    kernel: join(target, "kernel"),
    kernelVersion: (await readFile(join(target, "kernel-version"), "utf8")).trim(),
    root: join(target, "root"),
    loaders: join(target, "loaders"),
    tools: join(target, "tools"),
  };
}

async function fetch(work: string, onProgress: (text: string) => void): Promise<void> {
  const result = join(work, "result");
  const [root, loaders, tools] = [join(result, "root"), join(result, "loaders"), join(result, "tools")];
  await Promise.all([root, loaders, tools].map((folder) => mkdir(folder, { recursive: true })));

  const kernel = await packageBehind(kernelPackage, /^linux-image-\d.*-amd64$/);
  onProgress(`fetching the kernel (Debian package ${kernel})`);
  const kernelFiles = join(work, "kernel");
  await unpackPackages([kernel], kernelFiles);
  const kernelVersion = kernel.replace("linux-image-", "");
  await writeFile(join(result, "kernel-version"), `${kernelVersion}\n`);
  await copyFile(join(kernelFiles, `boot/vmlinuz-${kernelVersion}`), join(result, "kernel"));

  onProgress(`fetching ${[...rootPackages, ...loaderPackages, ...toolPackages].join(", ")}`);
  const perl = join(work, "perl");
  await unpackPackages(await withLibraries(rootPackages), perl);
  await copyPerl(perl, root);
  await copyModules(kernelFiles, kernelVersion, root);
  const loaderParts = join(work, "loaders");
  await unpackPackages(loaderPackages, loaderParts);
  for (const [name, from] of Object.entries(loaderFiles))
    await copyFile(join(loaderParts, from), join(loaders, name));
  await unpackPackages(await withLibraries(toolPackages), tools);
}

async function copyPerl(packages: string, root: string): Promise<void> {
  await copyProgram(packages, "usr/bin/perl", root);
  const library = "usr/lib/x86_64-linux-gnu/perl-base";
  await cp(join(packages, library), join(root, library), { recursive: true });
  // Tables of Unicode that only regular expressions over exotic scripts read.
  await rm(join(root, library, "unicore"), { recursive: true, force: true });
}

/** Into `modules`: one file each, and `order` with their names in the order of loading. */
async function copyModules(kernel: string, version: string, root: string): Promise<void> {
  const folder = await firstOf(kernel, [`lib/modules/${version}`, `usr/lib/modules/${version}`]);
  const found = await modulesOf(folder, modules);
  await mkdir(join(root, "modules"));
  for (const { name, content } of found) await writeFile(join(root, "modules", `${name}.ko`), content);
  await writeFile(join(root, "modules/order"), found.map(({ name }) => `${name}\n`).join(""));
}

/** What older package versions left. Folders that another process is filling right now are not touched. */
async function removeOldParts(cache: string, key: string): Promise<void> {
  for (const name of await readdir(cache))
    if (/^[0-9a-f]{16}$/.test(name) && name !== key)
      await rm(join(cache, name), { recursive: true, force: true });
}
