/** The guest as a VM of the lab: its files on the shared datastore, and the description that uses them. */
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { VmDescriptionInput } from "@godwit/contract";
import { datastore, portGroup, vmAddress } from "../names.ts";
import type { GuestImage } from "./build-guest.ts";

export interface GuestOptions {
  name: string;
  /** Of the VM among the lab's, from 0: gives its address. */
  index: number;
  memoryMib: number;
  /** Absent: one. */
  vcpus?: number;
}

/** Copies kernel, root and a fresh data disk to the datastore, and describes the VM. */
export async function placeGuest(
  sharedFolder: string,
  image: GuestImage,
  { name, index, memoryMib, vcpus = 1 }: GuestOptions,
): Promise<VmDescriptionInput> {
  await mkdir(join(sharedFolder, "guest"), { recursive: true });
  await place(image.kernel, join(sharedFolder, "guest/kernel"));
  await place(image.initrd, join(sharedFolder, "guest/initrd"));
  const disk = `guest/${name}-data.qcow2`;
  await copyFile(image.disk, join(sharedFolder, disk));
  return {
    name,
    datastore,
    memoryMib,
    vcpus,
    disks: [{ name: "data", image: disk, format: "qcow2", take: true }],
    nics: [{ portGroup }],
    guestAgent: true,
    boot: {
      kernel: "guest/kernel",
      initrd: "guest/initrd",
      // An emulated guest whose host is busy loses timer interrupts as it boots, and its kernel would panic over them.
      commandLine: `console=ttyS0 quiet panic=-1 no_timer_check godwit.ip=${vmAddress(index)}/24`,
    },
  };
}

/** In the place of a file that a QEMU may have mapped: one that was truncated under it would end it by SIGBUS as its guest boots. */
async function place(from: string, to: string): Promise<void> {
  const beside = `${to}.${randomUUID()}`;
  await copyFile(from, beside);
  await rename(beside, to);
}
