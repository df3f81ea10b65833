/**
 * The root of a server of the rack: the bare Debian of the packages' story with a kernel of its own, the guest agent, and
 * what servers of a data centre have (NFS, iSCSI, a serial console, addresses by systemd-networkd). Godwit is not in it,
 * but all of Debian's packages that Godwit's depend on are in apt's cache: the installation needs no network.
 */
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { debianRoot, needed, type Suite } from "../../packaging/story/debian-root.ts";
import { cacheFolder } from "./names.ts";

export interface Root {
  folder: string;
  /** Changes with what is in it. */
  key: string;
  kernel: string;
  initrd: string;
}

const packages = [
  ...["linux-image-amd64", "initramfs-tools", "zstd", "qemu-guest-agent", "iputils-ping", "login", "psmisc"],
  ...["openssh-client", "openssh-server"],
  // As Debian's installer has it.
  "apparmor",
  ...["nfs-common", "nfs-kernel-server", "open-iscsi", "targetcli-fb"],
  ...["lvm2", "multipath-tools", "sg3-utils"],
];

/** What the emulation makes costly and no test needs: drivers of its other devices, and work that comes by the clock. */
const blacklisted = [
  ...[
    "bochs",
    "i2c_i801",
    "lpc_ich",
    "iTCO_wdt",
    "pcspkr",
    "psmouse",
    "sr_mod",
    "ahci",
    "k10temp",
    "amd64_edac",
  ],
  ...["aesni_intel", "ghash_clmulni_intel", "sha512_ssse3", "sha256_ssse3", "sha1_ssse3", "crc32_pclmul"],
  ...["crct10dif_pclmul", "acpi_cpufreq", "rapl"],
];
const masked = [
  ...[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "dpkg-db-backup.timer",
  ],
  ...["e2scrub_reap.service", "systemd-pstore.service", "getty@tty1.service", "nfs-blkmap.service"],
];
/** Started by whom a test makes a storage server. */
const disabled = [
  "nfs-server",
  "rpcbind.service",
  "rpcbind.socket",
  "rtslib-fb-targetctl",
  "iscsid",
  "open-iscsi",
  "multipathd.service",
  "lvm2-monitor.service",
  "ssh.service",
];

const files: Readonly<Record<string, string>> = {
  "etc/fstab": "/dev/vda / ext4 rw,noatime 0 0\n",
  "etc/hostname": "bare\n",
  // The whole installation is apt's: nobody is there to answer, and recommended packages are not in its cache.
  "etc/apt/apt.conf.d/90rack":
    'APT::Install-Recommends "false";\nAPT::Get::Assume-Yes "true";\nDPkg::Options:: "--force-unsafe-io";\n',
  "etc/modprobe.d/rack.conf": blacklisted.map((name) => `install ${name} /bin/false\n`).join(""),
  // An emulated server takes ten times as long, and thirty times on a busy machine.
  "etc/systemd/system.conf.d/rack.conf":
    "[Manager]\nDefaultTimeoutStartSec=900s\nDefaultTimeoutStopSec=300s\nDefaultDeviceTimeoutSec=900s\n",
  "etc/systemd/system/serial-getty@ttyS0.service.d/rack.conf":
    "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 - $TERM\n",
  "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n",
  "etc/initramfs-tools/conf.d/rack": "MODULES=list\nCOMPRESS=gzip\n",
};

const limitMs = 1_800_000;

/** Made once for each recipe and kept. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function rackRoot(suite: Suite, say: (text: string) => void): Promise<Root> {
  const key = createHash("sha256")
    .update(JSON.stringify([suite, needed, packages, masked, disabled, files]))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cacheFolder, "roots", `${suite}-${key}`);
  if (!(await exists(folder))) await make(suite, folder, say);
  return { folder, key, ...(await kernelIn(folder)) };
}

/** Where `npm run package` puts what the rack installs. */
export const packagesFolder = join(import.meta.dirname, "../../results/packages");

/** Names of the packages in a folder. @throws USAGE when there are none */
export async function packagesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".deb")).sort();
  if (names.length > 0) return names;
  throw GodwitError.of("USAGE", {
    what: `There are no packages in ${folder}.`,
    hint: "npm run package makes them.",
  });
}

/** That root with Godwit's packages installed already, for whoever wants hosts and not the installation. @throws USAGE, PROGRAM_FAILED */
export async function installedRoot(root: Root, say: (text: string) => void): Promise<Root> {
  const names = await packagesIn(packagesFolder);
  const hash = createHash("sha256").update(root.key);
  for (const name of names) hash.update(await readFile(join(packagesFolder, name)));
  const key = hash.digest("hex").slice(0, 12);
  const folder = join(cacheFolder, "roots", `installed-${key}`);
  if (!(await exists(folder))) {
    say("installing Godwit's packages on it (once; minutes)");
    const making = `${folder}.new`;
    await rm(making, { recursive: true, force: true });
    await run("cp", ["-a", root.folder, making], { what: "copying the root", timeoutMs: limitMs });
    for (const name of names) await copyFile(join(packagesFolder, name), join(making, "root", name));
    const install = ["apt-get", "install", "-q", "-o", "APT::Sandbox::User=root"];
    await run("chroot", [making, ...install, ...names.map((name) => `/root/${name}`)], {
      what: "installing Godwit's packages",
      timeoutMs: limitMs,
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
    await writeFile(join(making, "etc/machine-id"), "");
    await rename(making, folder);
  }
  return { folder, key, ...(await kernelIn(folder)) };
}

async function make(suite: Suite, folder: string, say: (text: string) => void): Promise<void> {
  const bare = await debianRoot(suite, say);
  say(`adding a kernel to Debian ${suite} (once; minutes)`);
  const making = `${folder}.new`;
  await rm(making, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  await run("cp", ["-a", bare, making], { what: "copying the bare Debian", timeoutMs: limitMs });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(making, name)), { recursive: true });
    await writeFile(join(making, name), content);
  }
  await copyFile("/etc/resolv.conf", join(making, "etc/resolv.conf"));
  const inRoot = async (what: string, ...argv: string[]) => {
    await run("chroot", [making, ...argv], {
      what,
      timeoutMs: limitMs,
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
  };
  await inRoot("reading the package lists", "apt-get", "update", "-q");
  await inRoot(
    `adding a kernel to Debian ${suite}`,
    ...[
      "apt-get",
      "install",
      "-q",
      "--no-install-recommends",
      "-o",
      "Dpkg::Options::=--force-confold",
      ...packages,
    ],
  );
  await inRoot("opening root's account to the serial console", "passwd", "-d", "root");
  await inRoot("starting fewer services", "systemctl", "disable", "-q", ...disabled);
  await inRoot("starting the network's service", "systemctl", "enable", "-q", "systemd-networkd");
  for (const unit of masked) {
    await rm(join(making, "etc/systemd/system", unit), { force: true });
    await symlink("/dev/null", join(making, "etc/systemd/system", unit));
  }
  await rm(join(making, "etc/resolv.conf"), { force: true });
  await writeFile(join(making, "etc/machine-id"), "");
  await rename(making, folder);
}

/** Servers boot them directly: a boot loader would only be slow. */
async function kernelIn(folder: string): Promise<{ kernel: string; initrd: string }> {
  const names = await readdir(join(folder, "boot"));
  const one = (prefix: string) =>
    join(folder, "boot", names.find((name) => name.startsWith(prefix)) ?? prefix);
  return { kernel: one("vmlinuz-"), initrd: one("initrd.img-") };
}

/** Of Debian, like `12`. */
export async function debianVersion(root: Root): Promise<string> {
  const text = await readFile(join(root.folder, "etc/os-release"), "utf8");
  return /^VERSION_ID="(\d+)"/m.exec(text)?.[1] ?? "";
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
