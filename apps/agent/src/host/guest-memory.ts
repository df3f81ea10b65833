/**
 * What guests with a balloon have of their memory, as their QEMUs answered last. A report waits a moment for them, and not for a QEMU that answers
 * late or never: what it answers is in the next one.
 */
import type { VmId, VmLoad } from "@godwit/contract";
import { guestMemoryBytes, type QemuProcess } from "@godwit/hypervisor";
import { within } from "@godwit/system";
import type { Processes } from "../qemu/processes.ts";

const limitMs = 3000;
const momentMs = 500;

export class GuestMemory {
  readonly #processes: Pick<Processes, "of" | "present" | "stateOf">;
  readonly #known = new WeakMap<QemuProcess, number>();
  readonly #asked = new WeakSet<QemuProcess>();

  constructor(processes: Pick<Processes, "of" | "present" | "stateOf">) {
    this.#processes = processes;
  }

  /** Asks every QEMU that is not being asked; resolves when they have answered, or after a moment. */
  async refresh(): Promise<void> {
    const asked = this.#processes.present.filter((process) => this.#tells(process));
    await within(Promise.all(asked.map((process) => this.#ask(process))), momentMs);
  }

  /** Of a VM that has no balloon, or only arrives, nothing. */
  of(id: VmId): Pick<VmLoad, "guestMemoryBytes"> {
    const process = this.#processes.of(id);
    if (process === undefined || !this.#tells(process)) return {};
    return { guestMemoryBytes: this.#known.get(process) ?? null };
  }

  #tells({ vmId, spec }: QemuProcess): boolean {
    const state = this.#processes.stateOf(vmId);
    return spec.vm.balloon !== undefined && (state === "running" || state === "paused");
  }

  async #ask(process: QemuProcess): Promise<void> {
    if (this.#asked.has(process)) return;
    this.#asked.add(process);
    try {
      this.#known.set(process, await guestMemoryBytes(process, limitMs));
    } catch {
      this.#known.delete(process); // an old figure would say nothing of now
    } finally {
      this.#asked.delete(process);
    }
  }
}
