/**
 * VMs of one host whose `vm.json` is broken, asked of its agent now and then with the host's reports: nothing tells of a
 * change on the storage. What could not be read is as it was found last.
 */
import {
  finding,
  mostVmFiles,
  type Finding,
  type VmFileLook,
  type VmFilesQuestion,
  type VmId,
} from "@godwit/contract";

/** Also of stopped VMs, whose files nobody reads otherwise. */
const everyMs = 120_000;
const answerLimitMs = 8000;

export type AskedVm = VmFilesQuestion["vms"][number];

export interface VmFileSources {
  /** The VMs that the host has now. */
  vms: () => Promise<readonly AskedVm[]>;
  ask: (vms: AskedVm[], timeoutMs: number) => Promise<readonly VmFileLook[]>;
}

export class VmFileWatch {
  readonly #host: string;
  readonly #sources: VmFileSources;
  readonly #broken = new Map<VmId, Finding>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(host: string, sources: VmFileSources) {
    this.#host = host;
    this.#sources = sources;
  }

  /** One for each VM. */
  get alarms(): Finding[] {
    return [...this.#broken.values()];
  }

  /** Looks if it is time to; while something is broken it is, each time: the alarm ends soon after the repair. @throws what asking throws */
  async lookWhenDue(): Promise<void> {
    if (this.#broken.size === 0 && performance.now() - this.#lookedAtMs < everyMs) return;
    const vms = await this.#sources.vms();
    this.#lookedAtMs = performance.now();
    const looks = new Map<VmId, VmFileLook>();
    for (let at = 0; at < vms.length; at += mostVmFiles) {
      for (const look of await this.#sources.ask(vms.slice(at, at + mostVmFiles), answerLimitMs))
        looks.set(look.id, look);
    }
    const ids = new Set(vms.map(({ id }) => id));
    for (const id of this.#broken.keys()) if (!ids.has(id)) this.#broken.delete(id);
    for (const { id, name: vm } of vms) {
      const look = looks.get(id);
      if (look?.state === "valid") this.#broken.delete(id);
      if (look?.state !== "broken") continue;
      const { path = "vm.json", reason = "its agent does not tell why" } = look;
      this.#broken.set(id, finding("VM_FILE_BROKEN", { vm, host: this.#host, path, reason }));
    }
  }
}
