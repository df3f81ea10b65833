/**
 * What this host itself uses of a USB device: its disks with file systems that are mounted, swap, LVM or the like, and its network interfaces that are up.
 * A guest that got the device would take these away under the host, which may have booted from it.
 */
import { constants } from "node:fs";
import { open, readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";

export interface Kernel {
  sysfs: string;
  /** @param name of a block device */
  isBusy: (name: string) => Promise<boolean>;
}

const thisKernel: Kernel = { sysfs: "/sys", isBusy: (name) => isBusy(join("/dev", name)) };

/** The end of a sentence; null: nothing. A device that is not there any more is used by nobody. */
export async function hostUseOfUsb(
  { bus, device }: { bus: number; device: number },
  { sysfs, isBusy: isUsed }: Kernel = thisKernel,
): Promise<string | null> {
  const folder = await folderOf(join(sysfs, "bus/usb/devices"), bus, device);
  if (folder === null) return null;
  for (const name of await partsOf(join(sysfs, "class/block"), folder))
    if (await isUsed(name.replaceAll("!", "/"))) return `the host uses ${name}, which is on it`;
  for (const name of await partsOf(join(sysfs, "class/net"), folder)) {
    const flags = Number(await textOf(join(sysfs, "class/net", name, "flags")));
    if ((flags & 1) !== 0) return `the host has network interface ${name} of it up`;
  }
  return null;
}

async function folderOf(devices: string, bus: number, device: number): Promise<string | null> {
  for (const name of await namesIn(devices)) {
    const [at, number] = await Promise.all(
      ["busnum", "devnum"].map((file) => textOf(join(devices, name, file))),
    );
    if (at !== null && number !== null && Number(at) === bus && Number(number) === device)
      return await realpath(join(devices, name)).catch(() => null);
  }
  return null;
}

/** Names of those of a class that are parts of the device. */
async function partsOf(folder: string, device: string): Promise<string[]> {
  const places = (await namesIn(folder)).map(async (name) => {
    const place = await realpath(join(folder, name)).catch(() => "");
    return place.startsWith(`${device}/`) ? [name] : [];
  });
  return (await Promise.all(places)).flat();
}

const namesIn = async (folder: string): Promise<string[]> => (await readdir(folder).catch(() => [])).sort();
const textOf = async (path: string): Promise<string | null> =>
  await readFile(path, "utf8").then(
    (text) => text.trim(),
    () => null,
  );

const isNothing = ["ENOENT", "ENXIO", "ENOMEDIUM", "ENODEV"];

/** By the kernel: of a disk with a partition that is used, too. One that cannot be looked at may be. */
async function isBusy(path: string): Promise<boolean> {
  try {
    await using _file = await open(path, constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK);
    return false;
  } catch (error) {
    return !isNothing.includes((error as NodeJS.ErrnoException).code ?? "");
  }
}
