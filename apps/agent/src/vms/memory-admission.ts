/**
 * Which VMs this host has memory for. Decided here, by the host itself, at once and one after the other: what a start or
 * an arriving move was granted counts for the next one from that moment on, until its QEMU is there or it has ended.
 * Guests take their memory little by little, so what running ones have not touched yet is not available either.
 */
import {
  GodwitError,
  hostNodesOf,
  hugepagesOf,
  type HugepageSize,
  type MemoryLoad,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { ordinaryMemoryBytes } from "@godwit/requirements";
import type { Processes } from "../qemu/processes.ts";

type Sized = Pick<Vm, "id" | "name" | "memoryMib" | "hugepages" | "numa">;

interface Granted {
  name: string;
  /** Of ordinary memory. */
  bytes: number;
  hugepages: { size: HugepageSize; pages: number } | null;
}

export interface MemorySources {
  host: string;
  processes: Pick<Processes, "runtimes" | "of">;
  load: () => MemoryLoad;
  /** Of a process that is in RAM; null: not known, or it has just ended. */
  residentBytes: (pid: number) => number | null;
  /** The NUMA nodes of this host. */
  numaNodes: () => number[];
}

const mib = 1024 * 1024;

export class MemoryAdmission {
  readonly #sources: MemorySources;
  readonly #granted = new Map<VmId, Granted>();
  /** Of VMs that run and get more, until they have it. */
  readonly #growing = new Map<VmId, number>();
  /** What was left of huge pages after the last grant. */
  readonly #left = new Map<HugepageSize, number>();

  constructor(sources: MemorySources) {
    this.#sources = sources;
  }

  /** What another VM may have. @throws Error when the kernel does not tell */
  load(): MemoryLoad {
    const load = this.#sources.load();
    return {
      ...load,
      availableBytes: Math.max(0, load.availableBytes - this.#promisedBytes()),
      ...(load.hugepages === undefined
        ? {}
        : {
            hugepages: load.hugepages.map(({ size, freePages }) => ({
              size,
              freePages: this.#freePages(size, freePages),
            })),
          }),
    };
  }

  /** Names of VMs that have been granted memory, and are not here yet or not for long. */
  get granted(): string[] {
    return [...this.#granted.values()].map(({ name }) => name);
  }

  /** Granted until disposed. @throws DESTINATION_MEMORY_SHORT, HUGEPAGES_SHORT, NUMA_NODE_UNAVAILABLE */
  reserve(vm: Sized): Disposable {
    const { id, name } = vm;
    const { host } = this.#sources;
    const { availableBytes, hugepages: free = [] } = this.load();
    const neededBytes = ordinaryMemoryBytes(vm);
    if (availableBytes < neededBytes)
      throw GodwitError.of("DESTINATION_MEMORY_SHORT", { host, neededBytes, availableBytes });
    this.#mustHaveNodes(vm);
    const hugepages = hugepagesOf(vm);
    if (hugepages !== null) {
      const { size, pages: neededPages } = hugepages;
      const freePages = free.find((one) => one.size === size)?.freePages ?? 0;
      if (freePages < neededPages)
        throw GodwitError.of("HUGEPAGES_SHORT", { vm: name, host, size, neededPages, freePages });
      this.#left.set(size, freePages - neededPages);
    }
    this.#granted.set(id, { name, bytes: neededBytes, hugepages });
    return {
      [Symbol.dispose]: () => {
        // Of one that did not come about they are free again.
        if (hugepages !== null && !this.#isHere(id))
          this.#left.set(hugepages.size, (this.#left.get(hugepages.size) ?? 0) + hugepages.pages);
        this.#granted.delete(id);
      },
    };
  }

  /** What a VM that runs here gets beside what it has; granted until disposed. @throws DESTINATION_MEMORY_SHORT */
  reserveGrowth({ id }: Pick<Sized, "id">, growthMib: number): Disposable {
    const { availableBytes } = this.load();
    const neededBytes = growthMib * mib;
    if (availableBytes < neededBytes)
      throw GodwitError.of("DESTINATION_MEMORY_SHORT", {
        host: this.#sources.host,
        neededBytes,
        availableBytes,
      });
    this.#growing.set(id, neededBytes);
    return {
      [Symbol.dispose]: () => {
        this.#growing.delete(id);
      },
    };
  }

  #mustHaveNodes(vm: Sized): void {
    const nodes = hostNodesOf(vm);
    if (nodes.length === 0) return;
    const available = this.#sources.numaNodes();
    if (nodes.every((node) => available.includes(node))) return;
    const { host } = this.#sources;
    throw GodwitError.of("NUMA_NODE_UNAVAILABLE", { vm: vm.name, host, nodes, available });
  }

  /**
   * QEMU takes its huge pages while it starts, which for a large VM lasts long: what the kernel has free falls by what was promised, and that is
   * not taken off twice. Until all that was promised is taken the rest is what it was after the last grant; what comes free meanwhile is not counted.
   */
  #freePages(size: HugepageSize, free: number): number {
    const isTaking = [...this.#granted].some(
      ([id, one]) => one.hugepages?.size === size && !this.#isHere(id),
    );
    return isTaking ? Math.max(0, Math.min(free, this.#left.get(size) ?? free)) : free;
  }

  #isHere(id: VmId): boolean {
    return this.#sources.processes.runtimes.some((one) => one.id === id && one.pid !== null);
  }

  #promisedBytes(): number {
    const { processes } = this.#sources;
    const present = processes.runtimes.flatMap(({ id, pid, memoryMib }) =>
      pid === null ? [] : [{ id, pid, memoryMib }],
    );
    const untouched = present.map(({ id, pid, memoryMib }) => {
      // Its huge pages are no part of what is available, nor of what is resident.
      if (processes.of(id)?.spec.vm.hugepages !== undefined) return 0;
      const resident = this.#sources.residentBytes(pid);
      return resident === null ? 0 : Math.max(0, memoryMib * mib - resident);
    });
    const granted = [...this.#granted].filter(([id]) => !present.some((one) => one.id === id));
    const promised = [...untouched, ...granted.map(([, { bytes }]) => bytes), ...this.#growing.values()];
    return promised.reduce((sum, bytes) => sum + bytes, 0);
  }
}
