/**
 * The image as a medium: an ISO 9660 file system that starts by BIOS (isolinux) and by UEFI (an EFI partition
 * with shim and GRUB), from a CD drive and, written as it is, from a USB stick. Everything that runs before
 * the report is signed by Debian, so that Secure Boot may stay on.
 */
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runUnpacked } from "@godwit/debian";
import type { ImageParts } from "./image-parts.ts";

/**
 * Quiet, so that nothing but the report is on the screen; a kernel that panics says so all the same, and
 * stays there to be read. Both consoles, whichever there is.
 */
const commandLine = "console=tty0 console=ttyS0,115200n8 quiet loglevel=3 consoleblank=0";

/** 50 lines instead of 25: a report with notes has more than 25. */
const biosScreen = "vga=ext";

const isolinuxConfig = `default report
prompt 0
noescape 1
label report
  kernel /boot/vmlinuz
  append initrd=/boot/initrd ${commandLine} ${biosScreen}
`;

const grubConfig = `linux /boot/vmlinuz ${commandLine}
initrd /boot/initrd
boot
`;

/** Debian's signed GRUB for media finds its file system by this file. */
const mark = ".disk/info";
const volumeName = "GODWIT_CPU_REPORT";

/** Writes the medium to `target`. @param work an empty folder for its parts. @throws PROGRAM_FAILED */
export async function writeMedium(
  { kernel, loaders, tools }: ImageParts,
  initrd: Uint8Array,
  work: string,
  target: string,
): Promise<void> {
  const tree = join(work, "tree");
  for (const folder of ["boot/grub", "isolinux", ".disk"])
    await mkdir(join(tree, folder), { recursive: true });
  await copyFile(kernel, join(tree, "boot/vmlinuz"));
  await writeFile(join(tree, "boot/initrd"), initrd);
  await writeFile(join(tree, "boot/grub/grub.cfg"), grubConfig);
  await writeFile(join(tree, mark), "Godwit CPU report\n");
  for (const name of ["isolinux.bin", "ldlinux.c32"])
    await copyFile(join(loaders, name), join(tree, "isolinux", name));
  await writeFile(join(tree, "isolinux/isolinux.cfg"), isolinuxConfig);
  await writeEfiPartition(tools, loaders, join(tree, "boot/efi.img"));
  await runUnpacked(
    tools,
    "usr/bin/xorriso",
    [
      ...["-as", "mkisofs", "-quiet", "-r", "-J", "-V", volumeName, "-o", target],
      ...["-isohybrid-mbr", join(loaders, "isohdpfx.bin")],
      ...["-c", "isolinux/boot.cat", "-b", "isolinux/isolinux.bin"],
      ...["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"],
      ...["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat"],
      tree,
    ],
    { what: "writing the boot image", timeoutMs: 120_000 },
  );
}

/** A FAT file system that holds what UEFI starts: shim, which checks and starts GRUB. */
async function writeEfiPartition(tools: string, loaders: string, target: string): Promise<void> {
  const files = ["bootx64.efi", "grubx64.efi"];
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(loaders, name))).size));
  const kib = Math.ceil((sizes.reduce((sum, size) => sum + size, 0) + 256 * 1024) / 32_768) * 32;
  const words = { what: "making the image's EFI partition", env: { MTOOLS_SKIP_CHECK: "1" } };
  const mtools = (args: readonly string[]) => runUnpacked(tools, "usr/bin/mtools", ["-c", ...args], words);
  await mtools(["mformat", "-C", "-i", target, "-T", String(kib * 2), "-h", "16", "-s", "32", "::"]);
  await mtools(["mmd", "-i", target, "::EFI", "::EFI/BOOT"]);
  for (const name of files)
    await mtools(["mcopy", "-i", target, join(loaders, name), `::EFI/BOOT/${name.toUpperCase()}`]);
}
