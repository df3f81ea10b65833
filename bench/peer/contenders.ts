/**
 * Who is measured against whom: Godwit with one guest, libvirt with its twin on the same hosts, each moving
 * its own from the host where it is to the other.
 */
import { moveOf, type VmView } from "@godwit/contract";
import { vmAddress } from "@godwit/lab";
import type { TestLab } from "@godwit/test-kit";
import { guestAnswers, moveUnderLoad, type Seen } from "../measure/move-under-load.ts";
import type { LibvirtPeer } from "./libvirt-peer.ts";
import type { OwnDisks } from "./own-disks.ts";
import { placeTwin } from "./place-twin.ts";

/** One move, as its client, the machine and the mover itself saw it. */
export interface Sample extends Seen {
  from: string;
  to: string;
  /** Hosts on which the guest's vCPUs ran after the move, before a guest that hangs was started again. */
  runners: string[];
  /** What the mover itself tells. */
  bytes: number | null;
  passes: number | null;
}

/** How virsh moves. */
export interface Way {
  peerToPeer: boolean;
  tls: boolean;
  /** Default: QEMU's own, 300. */
  maxDowntimeMs?: number;
  /** Hosts that share nothing: the domain's disks go with it. */
  disks?: OwnDisks;
}

export interface Contender {
  name: string;
  move(): Promise<Sample>;
}

/**
 * @param maxOutageMs of each move; default: Godwit's own
 * @param datastoreOf a host: the disks go there with the VM
 */
export function godwit(
  lab: TestLab,
  { name, id }: VmView,
  maxOutageMs?: number,
  datastoreOf?: (host: string) => string,
): Contender {
  const budget = maxOutageMs === undefined ? {} : { maxOutageMs };
  const place = (to: string) => (datastoreOf === undefined ? {} : { datastore: datastoreOf(to) });
  return {
    name: "Godwit",
    async move() {
      const { host: from } = await lab.vm(name);
      const to = otherThan(from);
      const told: Pick<Sample, "bytes" | "passes" | "runners"> = { bytes: null, passes: null, runners: [] };
      const seen = await moveUnderLoad({
        labId: lab.lab.id,
        address: vmAddress(0),
        async move() {
          const task = await lab.succeeded(
            lab.api.call("vmMigrate", { params: { vm: name }, body: { to, ...budget, ...place(to) } }),
          );
          const move = moveOf(task);
          Object.assign(told, { bytes: move?.bytes ?? null, passes: move?.rounds ?? null });
        },
        async settled() {
          told.runners = await lab.runnersOf({ id });
        },
        async revive() {
          const params = { vm: name };
          await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
          await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
        },
      });
      return { from, to, ...seen, ...told };
    },
  };
}

/** The twin of Godwit's VM as a libvirt domain, which several contenders move in turn. */
export class Twin {
  readonly #lab: TestLab;
  readonly #peer: LibvirtPeer;
  readonly #domain: { name: string; uuid: string };
  #host: string;

  private constructor(lab: TestLab, peer: LibvirtPeer, domain: { name: string; uuid: string }, host: string) {
    this.#lab = lab;
    this.#peer = peer;
    this.#domain = domain;
    this.#host = host;
  }

  /** @param index of the VM among the lab's */
  static async boot(
    lab: TestLab,
    peer: LibvirtPeer,
    original: VmView,
    index: number,
    disks?: OwnDisks,
  ): Promise<Twin> {
    const host = original.host;
    const placed = await placeTwin(lab, original, index);
    const domain = disks === undefined ? placed : await disks.take(placed, host);
    await peer.boot(domain, host);
    await guestAnswers(lab.lab.id, vmAddress(index));
    return new Twin(lab, peer, domain, host);
  }

  contender(way: Way): Contender {
    const words = ["virsh", ...(way.peerToPeer ? ["--p2p"] : []), ...(way.tls ? ["--tls"] : [])];
    return { name: words.join(" "), move: async () => await this.#move(way) };
  }

  async #move(way: Way): Promise<Sample> {
    const { name } = this.#domain;
    const from = this.#host;
    const to = otherThan(from);
    let runners: string[] = [];
    if (way.maxDowntimeMs !== undefined) await this.#peer.allowDowntime(name, from, way.maxDowntimeMs);
    const flags = way.disks === undefined ? [] : ["--copy-storage-all"];
    await way.disks?.prepare(from, to);
    const seen = await moveUnderLoad({
      labId: this.#lab.lab.id,
      address: vmAddress(1),
      move: async () => {
        await this.#peer.migrate(name, from, { to, ...way, flags });
      },
      settled: async () => {
        runners = await this.#peer.runnersOf(this.#domain);
        this.#host = runners[0] ?? this.#host;
      },
      revive: async () => {
        await this.#peer.reboot(name, this.#host);
      },
    });
    await way.disks?.forget(otherThan(this.#host));
    // What libvirt knows of a move is of the QEMU that it ended in.
    const unknown = seen.hung || seen.failure !== null;
    const { bytes, iterations } = unknown
      ? { bytes: null, iterations: null }
      : await this.#peer.lastMove(name, to);
    return { from, to, ...seen, runners, bytes, passes: iterations };
  }
}

const otherThan = (host: string): string => (host === "a" ? "b" : "a");
