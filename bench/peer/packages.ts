/** What the peer needs on the machine. Nothing is installed here: what is missing is refused with the command. */
import { access } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";

/** What libvirt starts a domain with. Godwit's VM gets the same: both run on the installed QEMU. */
const installedQemu = "/usr/bin/qemu-system-x86_64";
export const peerQemus = { a: installedQemu, b: installedQemu };

/** The daemon and the client, without `libvirt-daemon-system`: its units would run a daemon of the machine's own. */
const packages = ["libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients"];

const files = [
  "/usr/sbin/libvirtd",
  "/usr/sbin/virtlogd",
  "/usr/bin/virsh",
  "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
];

/** @throws USAGE with the command that installs what is missing */
export async function requireLibvirt(): Promise<void> {
  try {
    for (const file of files) await access(file);
  } catch (error) {
    throw GodwitError.of(
      "USAGE",
      {
        what: "The peer, libvirt, is not installed on this machine.",
        hint: `apt-get install --no-install-recommends ${packages.join(" ")}`,
      },
      { cause: error },
    );
  }
}
