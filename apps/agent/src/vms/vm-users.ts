/**
 * Which user a VM's QEMU runs as on this host: one of the VM's own, the same on every host, or the one that VMs share
 * where that is not possible. It is decided at a start, and stays until the VM is stopped, wherever it moves.
 */
import type { VmId } from "@godwit/contract";
import { vmUser, type LaunchUser } from "@godwit/hypervisor";
import { idsUnmapped, userIds } from "@godwit/system";
import type { AgentConfig } from "../config.ts";

type QemuConfig = Pick<AgentConfig["qemu"], "user" | "vmUids">;

export class VmUsers {
  readonly #qemu: QemuConfig;
  #unmapped: Promise<string | null> | undefined;

  constructor(qemu: QemuConfig) {
    this.#qemu = qemu;
  }

  /** Why VMs can have no user of their own on this host, the end of a sentence; null: they can. */
  async problem(): Promise<string | null> {
    const { first, count } = this.#qemu.vmUids;
    return await (this.#unmapped ??= idsUnmapped(first, count));
  }

  /** The VM's own. */
  own(vmId: VmId): LaunchUser {
    return { ...vmUser(vmId, this.#qemu.vmUids), sharedBecause: null };
  }

  /** @throws USAGE when it does not exist */
  async shared(because: string): Promise<LaunchUser> {
    return { ...(await userIds(this.#qemu.user)), sharedBecause: because };
  }

  /**
   * Of a VM that comes from another host. The uid is the source's word: here it only chooses between the two that this
   * host would take itself.
   * @param sourceUid absent: the source is of a version that had one user for all VMs
   */
  async incoming(vmId: VmId, from: string, sourceUid: number | undefined): Promise<LaunchUser> {
    const own = this.own(vmId);
    if (sourceUid === own.uid && (await this.problem()) === null) return own;
    const uid = sourceUid === undefined ? "the user that VMs share" : `uid ${String(sourceUid)}`;
    return await this.shared(`it was started as ${uid} before it came from host ${from}`);
  }

  /** As QEMU's interfaces' owner is named: users without a name by their number. */
  ownerOf({ uid, sharedBecause }: LaunchUser): string {
    return sharedBecause === null ? String(uid) : this.#qemu.user;
  }
}
