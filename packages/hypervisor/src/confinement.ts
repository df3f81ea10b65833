/**
 * What a QEMU sees of its host: a file system of its own (`confine-qemu.pl`) with the system's programs and libraries,
 * read-only, its VM's disks with the bases that they are linked to, and UEFI variables, and its run folder. No other VM's disks are there, no keys but those of migration streams,
 * no configuration. Pure.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { baseFilesOf } from "./disk-nodes.ts";
import type { LaunchSpec } from "./launch-spec.ts";

const program = fileURLToPath(new URL("confine-qemu.pl", import.meta.url));

/** `/lib` and its like lead into `/usr` on most systems. */
const systemFolders = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/** The linker's list of libraries; what the administrator forbids in TLS. */
const settings = ["/etc/ld.so.cache", "/etc/gnutls"];
/** Of huge pages, and how many CPUs and memory nodes there are. */
const machine = ["/sys/kernel/mm", "/sys/devices/system"];
const devices = ["null", "zero", "random", "urandom", "kvm", "net/tun", "userfaultfd"];

export interface View {
  /** An empty folder, which the new root is mounted on. */
  root: string;
  /** QEMU itself, without links; a name: it is one of the system's programs. */
  binary: string;
  runFolder: string;
  /** Whether it is started under a profile of AppArmor. */
  isProfiled: boolean;
  /** Further files and folders that it may read; those that are not there are passed over. */
  readable: readonly string[];
}

/** The words before a program's own that make it run so. They need root. */
export function confined(
  spec: LaunchSpec,
  { root, binary, runFolder, isProfiled, readable }: View,
): string[] {
  // One that is not the system's has its firmware and modules beside it: /opt/qemu/bin/qemu-system-x86_64.
  const installation = dirname(dirname(binary));
  const isOfSystem = !binary.startsWith("/") || installation === "/" || isUnder(installation, "/usr");
  const boot = [spec.kernelPath, spec.initrdPath].filter((path) => path !== null);
  const { hostDevices = [] } = spec;
  const nvram = spec.uefi === undefined ? [] : [spec.uefi.nvramPath];
  const images = [...boot, ...new Set(Object.values(spec.mediumPaths))];
  return [
    ...["/usr/bin/perl", program, root],
    ...["ro", "/usr"],
    ...each("try", [...systemFolders, ...settings, ...machine]),
    ...each("ro", isOfSystem ? [] : [installation]),
    ...each("try", readable),
    ...["proc", "/proc"],
    ...profileWords(isProfiled),
    ...each(
      "try",
      devices.map((name) => `/dev/${name}`),
    ),
    ...each("ro", [...images, ...baseFilesOf(spec)]),
    ...each("ro", [...new Set(hostDevices.flatMap(({ sysfs }) => sysfs))]),
    ...each("rw", hostDevices.some(({ node }) => node.startsWith("/dev/vfio/")) ? ["/dev/vfio/vfio"] : []),
    ...each(
      "rw",
      // Devices of one IOMMU group have one file.
      [...new Set(hostDevices.map(({ node }) => node))],
    ),
    ...each("rw", [...Object.values(spec.diskPaths), ...nvram, runFolder]),
    "--",
  ];
}

/** The words before the program of a VM's TPM, which needs the system's libraries, and of the VM only these folders. They need root. */
export const confinedTpm = (root: string, isProfiled: boolean, folders: readonly string[]): string[] => [
  ...["/usr/bin/perl", program, root],
  ...["ro", "/usr"],
  ...each("try", [...systemFolders, "/etc/ld.so.cache"]),
  // Where a profile of AppArmor is asked for.
  ...["proc", "/proc"],
  ...profileWords(isProfiled),
  ...each(
    "try",
    ["null", "zero", "random", "urandom"].map((name) => `/dev/${name}`),
  ),
  ...each("rw", folders),
  "--",
];

/** setpriv looks whether this folder is there before it asks the kernel for a profile. */
const profileWords = (isProfiled: boolean): string[] =>
  isProfiled ? ["folder", "/sys/kernel/security/apparmor"] : [];

const each = (how: string, paths: readonly string[]): string[] => paths.flatMap((path) => [how, path]);
const isUnder = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
