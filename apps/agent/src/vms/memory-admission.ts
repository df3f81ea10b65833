/**
 * Which VMs this host has memory for. Decided here, by the host itself, at once and one after the other: what a start or
 * an arriving move was granted counts for the next one from that moment on, until its QEMU is there or it has ended.
 * Guests take their memory little by little, so what running ones have not touched yet is not available either.
 */
import { GodwitError, type MemoryLoad, type Vm, type VmId } from "@godwit/contract";
import { qemuOverheadBytes } from "@godwit/requirements";
import type { Processes } from "../qemu/processes.ts";

type Sized = Pick<Vm, "id" | "name" | "memoryMib">;

export interface MemorySources {
  host: string;
  processes: Pick<Processes, "runtimes">;
  load: () => MemoryLoad;
  /** Of a process that is in RAM; null: not known, or it has just ended. */
  residentBytes: (pid: number) => number | null;
}

const mib = 1024 * 1024;

export class MemoryAdmission {
  readonly #sources: MemorySources;
  readonly #granted = new Map<VmId, { name: string; bytes: number }>();

  constructor(sources: MemorySources) {
    this.#sources = sources;
  }

  /** What another VM may have. @throws Error when the kernel does not tell */
  load(): MemoryLoad {
    const load = this.#sources.load();
    return { ...load, availableBytes: Math.max(0, load.availableBytes - this.#promisedBytes()) };
  }

  /** Names of VMs that have been granted memory, and are not here yet or not for long. */
  get granted(): string[] {
    return [...this.#granted.values()].map(({ name }) => name);
  }

  /** Granted until disposed. @throws DESTINATION_MEMORY_SHORT */
  reserve({ id, name, memoryMib }: Sized): Disposable {
    const { availableBytes } = this.load();
    const neededBytes = memoryMib * mib + qemuOverheadBytes;
    if (availableBytes < neededBytes) {
      const { host } = this.#sources;
      throw GodwitError.of("DESTINATION_MEMORY_SHORT", { host, neededBytes, availableBytes });
    }
    this.#granted.set(id, { name, bytes: neededBytes });
    return {
      [Symbol.dispose]: () => {
        this.#granted.delete(id);
      },
    };
  }

  #promisedBytes(): number {
    const present = this.#sources.processes.runtimes.flatMap(({ id, pid, memoryMib }) =>
      pid === null ? [] : [{ id, pid, memoryMib }],
    );
    const untouched = present.map(({ pid, memoryMib }) => {
      const resident = this.#sources.residentBytes(pid);
      return resident === null ? 0 : Math.max(0, memoryMib * mib - resident);
    });
    const granted = [...this.#granted].filter(([id]) => !present.some((one) => one.id === id));
    return [...untouched, ...granted.map(([, { bytes }]) => bytes)].reduce((sum, bytes) => sum + bytes, 0);
  }
}
