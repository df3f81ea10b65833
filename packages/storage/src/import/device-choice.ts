/**
 * What the disks and NICs of another product's VM become. What QEMU has too stays as it is. Of the rest a Windows gets what it has
 * drivers for, and any other guest virtio, whose drivers are in Linux. Pure.
 */
import type { DiskBus, NicModel } from "@godwit/contract";

export interface Choice<Kind> {
  kind: Kind;
  /** In words. */
  name: string;
  /** Why it is another than it was; null: it is the same. */
  reason: string | null;
}

const forWindows = "Windows has the driver; once it has those of virtio-win the VM may get virtio";

/** @param controller as its product calls it; null: not said */
export function busOf(controller: string | null, windows: boolean): Choice<DiskBus> {
  const named = controller?.toLowerCase() ?? "";
  const sata = (reason: string | null) => ({ kind: "sata" as const, name: "SATA (AHCI)", reason });
  if (/^virtio-?scsi/.test(named)) return { kind: "scsi", name: "virtio-scsi", reason: null };
  if (/^virtio/.test(named)) return { kind: "virtio", name: "virtio-blk", reason: null };
  if (/sata|ahci/.test(named)) return sata(null);
  if (/ide|piix/.test(named))
    return sata("the machine has AHCI in the place of IDE, whose driver Windows and Linux have");
  if (windows) return sata(forWindows);
  const reason = "the guest needs its driver, which Linux has";
  return { kind: "virtio", name: "virtio-blk", reason };
}

/** @param model as its product calls it; null: not said */
export function modelOf(model: string | null, windows: boolean): Choice<NicModel> {
  const named = model?.toLowerCase() ?? "";
  if (/^virtio/.test(named)) return { kind: "virtio", name: "virtio-net", reason: null };
  if (named === "e1000e") return { kind: "e1000e", name: "e1000e", reason: null };
  // 82540EM in Proxmox' and VirtualBox' words; VMware's is an 82545EM, with the same driver.
  if (/^e1000(?:-82540em|-82545em|-82544gc)?$|^82540em$|^82545em$/.test(named))
    return { kind: "e1000", name: "e1000", reason: null };
  if (windows) return { kind: "e1000e", name: "e1000e", reason: forWindows };
  const reason = "the guest needs its driver, and may give the NIC another name";
  return { kind: "virtio", name: "virtio-net", reason };
}
