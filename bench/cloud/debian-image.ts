/**
 * A Debian 12 as a cloud image: Debian's own packages with its cloud kernel, cloud-init, OpenSSH and GRUB, on a GPT disk that boots by UEFI. Debian's
 * published images have the same in them; this one is made by debootstrap, where only Debian's packages can be reached. Made once and kept.
 */
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "@godwit/system";
import { debianRoot } from "../../packaging/story/debian-root.ts";

const packages = [
  ...["linux-image-cloud-amd64", "initramfs-tools", "zstd", "cloud-init", "netplan.io", "openssh-server"],
  ...["sudo", "qemu-guest-agent", "cloud-guest-utils", "iputils-ping", "grub-efi-amd64-bin", "grub-common"],
  // Of no use to the guest: they make its disk.
  ...["mtools", "fdisk"],
];

const label = "cloudimg-rootfs";
const files: Readonly<Record<string, string>> = {
  "etc/fstab": `LABEL=${label} / ext4 rw,discard,errors=remount-ro 0 1\n`,
  "etc/hostname": "localhost\n",
  "etc/cloud/cloud.cfg.d/90_datasources.cfg": "datasource_list: [ NoCloud, None ]\n",
  "etc/default/locale": "LANG=C.UTF-8\n",
  "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
  "disk.sfdisk": "label: gpt\nstart=1MiB, size=64MiB, type=U\nstart=65MiB, type=L\n",
};

/** GRUB's. @param kernel name of its file in /boot */
const bootConfig = (kernel: string): string => `insmod part_gpt
insmod ext2
search --no-floppy --label ${label} --set=root
linux /boot/${kernel} root=LABEL=${label} ro console=tty0 console=ttyS0,115200
initrd /boot/${kernel.replace("vmlinuz", "initrd.img")}
boot
`;

const folder = "/var/cache/godwit/cloud";
const limitMs = 1_800_000;
const rootMib = 2000;
const bootMib = 64;

/** @returns the path of the image, qcow2. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function debianCloudImage(say: (text: string) => void): Promise<string> {
  const recipe = createHash("sha256")
    .update(JSON.stringify([packages, files, bootConfig("vmlinuz"), rootMib, bootMib]))
    .digest("hex")
    .slice(0, 12);
  const image = join(folder, `debian-12-${recipe}.qcow2`);
  const isThere = await access(image).then(
    () => true,
    () => false,
  );
  if (isThere) return image;
  const bare = await debianRoot("bookworm", say);
  say("making a cloud image of Debian 12 (once; minutes)");
  const making = join(folder, "making");
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  try {
    await rename(await imageIn(making, bare), image);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return image;
}

async function imageIn(making: string, bare: string): Promise<string> {
  const root = join(making, "root");
  const inRoot = async (what: string, ...argv: string[]) => {
    await run("chroot", [root, ...argv], {
      ...{ what, timeoutMs: limitMs },
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
  };
  await run("cp", ["-a", bare, root], { what: "copying the bare Debian", timeoutMs: limitMs });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
  await copyFile("/etc/resolv.conf", join(root, "etc/resolv.conf"));
  await inRoot("reading the package lists", "apt-get", "update", "-q");
  await inRoot("installing packages", "apt-get", "install", "-qy", "--no-install-recommends", ...packages);
  await inRoot("emptying apt's cache", "apt-get", "clean");

  const kernels = (await readdir(join(root, "boot"))).filter((name) => name.startsWith("vmlinuz-"));
  await writeFile(join(root, "grub.cfg"), bootConfig(kernels.sort().at(-1) ?? ""));
  await inRoot(
    "making the boot loader",
    ...["grub-mkstandalone", "-O", "x86_64-efi", "-o", "/BOOTX64.EFI"],
    "boot/grub/grub.cfg=/grub.cfg",
  );
  await inRoot("making the boot partition", "truncate", "-s", `${String(bootMib)}M`, "/boot.vfat");
  await inRoot("making the boot partition", "mformat", "-i", "/boot.vfat", "-F", "::");
  await inRoot("making the boot partition", "mmd", "-i", "/boot.vfat", "::/EFI", "::/EFI/BOOT");
  await inRoot("making the boot partition", "mcopy", "-i", "/boot.vfat", "/BOOTX64.EFI", "::/EFI/BOOT/");
  await inRoot("making the disk", "truncate", "-s", `${String(rootMib + bootMib + 2)}M`, "/disk.raw");
  await inRoot("making the disk", "sh", "-c", "sfdisk -q /disk.raw </disk.sfdisk");
  const [disk, boot] = [join(making, "disk.raw"), join(making, "boot.vfat")];
  await rename(join(root, "disk.raw"), disk);
  await rename(join(root, "boot.vfat"), boot);

  for (const name of ["BOOTX64.EFI", "grub.cfg", "disk.sfdisk", "etc/resolv.conf"])
    await rm(join(root, name), { force: true });
  // Each VM makes its own.
  await run("find", [join(root, "etc/ssh"), "-name", "ssh_host_*", "-delete"], {
    what: "removing the host keys",
  });
  await writeFile(join(root, "etc/machine-id"), "");
  const system = join(making, "root.ext4");
  await run("mke2fs", ["-q", "-t", "ext4", "-L", label, "-d", root, system, `${String(rootMib)}M`], {
    what: "making the file system",
    timeoutMs: limitMs,
  });
  await copyInto(disk, boot, 2 ** 20);
  await run(
    "dd",
    [`if=${system}`, `of=${disk}`, "bs=1M", `seek=${String(1 + bootMib)}`, "conv=notrunc,sparse"],
    {
      what: "writing the file system",
      timeoutMs: limitMs,
    },
  );
  const image = join(making, "image.qcow2");
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", disk, image], {
    what: "converting the disk",
    timeoutMs: limitMs,
  });
  return image;
}

async function copyInto(disk: string, part: string, at: number): Promise<void> {
  await using file = await open(disk, "r+");
  await file.write(await readFile(part), { position: at });
}
