/** libvirt, with virsh's own defaults or with the flags that help most with a busy guest. */
import type { VmView } from "@godwit/contract";
import { vmAddress, type GuestImage } from "@godwit/lab";
import type { TestLab } from "@godwit/test-kit";
import { guestAnswers } from "../measure/move-under-load.ts";
import type { LibvirtPeer } from "../peer/libvirt-peer.ts";
import { placeTwin } from "../peer/place-twin.ts";
import type { Engine } from "./engine.ts";

/**
 * Post-copy goes with neither several channels nor compression in this QEMU, and always ends: it is the better of the two where
 * a guest is busy.
 */
const best = ["--auto-converge", "--postcopy", "--timeout", "15", "--timeout-postcopy"];

/** Both move the same domain. @param limitMs after it a move is given up */
export async function virshEngines(
  lab: TestLab,
  peer: LibvirtPeer,
  original: VmView,
  emulator: string,
  limitMs: number,
  ceilingMbps: number | null,
  image?: GuestImage,
): Promise<Engine[]> {
  const index = 1;
  const ceiling =
    ceilingMbps === null ? {} : { bandwidthMibPerSecond: Math.round((ceilingMbps * 1e6) / 8 / 2 ** 20) };
  const domain = await placeTwin(lab, original, index, image);
  let host = original.host;
  await peer.boot({ ...domain, emulator }, host);
  await guestAnswers(lab.lab.id, vmAddress(index));
  const engine = (name: string, flags: readonly string[]): Engine => ({
    name,
    address: vmAddress(index),
    move: async () => {
      const to = host === "a" ? "b" : "a";
      await peer.migrate(domain.name, host, {
        to,
        peerToPeer: false,
        tls: false,
        flags,
        timeoutMs: limitMs,
        ...ceiling,
      });
      const { bytes } = await peer.lastMove(domain.name, to);
      return { bytes };
    },
    settled: async () => {
      // What virsh was ended in goes on without it.
      const runners = await peer.settle(domain, host);
      host = runners[0] ?? host;
    },
    revive: async () => {
      await peer.reboot(domain.name, host);
    },
  });
  return [engine("virsh-default", []), engine("virsh-best", best)];
}
