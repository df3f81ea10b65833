/** Exports a VM that does not run, under its exclusive lease: nobody writes to its disks meanwhile. */
import { GodwitError, type VmExport, type VmExported, type VmId } from "@godwit/contract";
import { mustNotBeSuspended, notExported, readVm, writeOva } from "@godwit/storage";
import { userIds } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import type { Environment } from "./environment.ts";
import { SharedWork } from "./shared-work.ts";
import { completeRevert } from "./snapshots.ts";

export interface ExportsParts {
  config: Pick<AgentConfig, "name" | "qemu">;
  claims: Claims;
  environment: Pick<Environment, "datastore" | "datastoresOf" | "checkOwnFiles">;
  processes: Pick<Processes, "of">;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
  events: EventLog;
}

export class Exports {
  readonly #parts: ExportsParts;
  readonly #underWay = new SharedWork<VmExported>();

  constructor(parts: ExportsParts) {
    this.#parts = parts;
  }

  /**
   * Asked again for the same while it goes on, or after it, it answers the same.
   * @throws VM_UNKNOWN, VM_RUNNING, VM_BUSY, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, EXPORT_PLACE_UNUSABLE, EXPORT_FAILED,
   *   SPACE_SHORT and what is wrong with a datastore
   */
  async export(id: VmId, order: VmExport): Promise<VmExported> {
    return await this.#underWay.do(order.id, () => this.#export(id, order));
  }

  async #export(vmId: VmId, { id, datastore, name, to: place }: VmExport): Promise<VmExported> {
    const { claims, config, environment, events, leases, processes } = this.#parts;
    const home = await environment.datastore(datastore);
    const to = await environment.datastore(place.datastore);
    const before = await readVm(home, name);
    if (before.id !== vmId) throw GodwitError.of("VM_UNKNOWN", { vm: name });
    using _claim = await claims.claim(before, "it is being exported");
    if (processes.of(vmId) !== undefined) throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
    await using _lease = await exclusively(leases, before, config.name);
    let vm = await readVm(home, name);
    mustNotBeSuspended(vm);
    await environment.checkOwnFiles(vm);
    const stores = await environment.datastoresOf(vm);
    if (vm.revertingTo !== undefined) vm = await completeRevert(stores, vm);
    const onCopy = (copy: Parameters<Parameters<typeof writeOva>[0]["onCopy"]>[0]) => {
      events.append("vm.imageCopied", { kind: "vm", id: vmId }, { copy });
    };
    const user = await userIds(config.qemu.user);
    const bytes = await writeOva({ id, vm, stores, to, place, user, onCopy });
    return { bytes, notCarried: notExported(vm) };
  }
}
