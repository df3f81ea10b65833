/** The twin of Godwit's VM as a libvirt domain: the same machine, with a fresh disk on the lab's shared storage. */
import { randomUUID } from "node:crypto";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import type { VmView } from "@godwit/contract";
import { buildGuest, datastorePath, networks, placeGuest, type GuestImage } from "@godwit/lab";
import { userIds } from "@godwit/system";
import type { TestLab } from "@godwit/test-kit";
import { machineOf, type Domain } from "./domain-xml.ts";

/** @param index of the guest among the lab's: gives its address @param image absent: the lab's */
export async function placeTwin(
  lab: TestLab,
  original: VmView,
  index: number,
  image?: GuestImage,
): Promise<Omit<Domain, "qmpSocket">> {
  const name = "twin";
  const { hosts } = await lab.api.call("hostList", {});
  const accelerator = hosts.find((one) => one.name === original.host)?.facts?.qemu.accelerator ?? "tcg";
  const files = image ?? (await buildGuest(() => undefined));
  const { memoryMib } = original.config;
  const { disks, boot } = await placeGuest(lab.lab.sharedFolder, files, { name, index, memoryMib });
  const disk = disks?.[0]?.image ?? "";
  const { uid, gid } = await userIds("godwit-qemu");
  await chown(join(lab.lab.sharedFolder, disk), uid, gid);
  const inView = (path: string | undefined) => join(datastorePath, path ?? "");
  return {
    ...machineOf(original.config),
    name,
    uuid: randomUUID(),
    accelerator,
    disk: { kind: "file", path: inView(disk) },
    kernel: inView(boot?.kernel),
    initrd: inView(boot?.initrd),
    commandLine: boot?.commandLine ?? "",
    bridge: networks.office.bridge,
    mac: `52:54:00:87:03:${String(11 + index)}`,
  };
}
