/**
 * What hosts report, gathered into windows of time: of each host and VM the mean over a window, and of a VM's CPUs the
 * peak. A window is done when a report of a later one comes. Two resolutions: the last hour finely, a day coarsely.
 */
import type { HostLoad, VmLoad } from "@godwit/contract";

export interface Resolution {
  name: "fine" | "coarse";
  seconds: number;
  /** How many windows are kept of each host. */
  kept: number;
}
export const resolutions: readonly Resolution[] = [
  { name: "fine", seconds: 30, kept: 120 },
  { name: "coarse", seconds: 600, kept: 144 },
];

/** Of one VM in a window: CPUs on average and at most, and resident memory. What was nothing, or was not told, is left out of the rest. */
export interface VmSample {
  cpus: number;
  peakCpus: number;
  residentBytes: number | null;
  /** vCPUs that waited for a CPU. */
  readyCpus?: number;
  swappedBytes?: number;
  /** Read and written, received and sent. */
  diskBytesPerSecond?: number;
  networkBytesPerSecond?: number;
}

export interface HostSample {
  host: string;
  resolution: Resolution["name"];
  /** Start of the window, ms since 1970 by the server's clock. */
  atMs: number;
  usedCpus: number | null;
  stolenCpus: number | null;
  availableBytes: number | null;
  /** Percent, as the kernel's PSI tells it. */
  cpuPressure: number | null;
  memoryPressure: number | null;
  /** By the VM's id. */
  vms: Record<string, VmSample>;
}

class Mean {
  #sum = 0;
  #count = 0;

  add(value: number | null | undefined): void {
    if (value == null) return;
    this.#sum += value;
    this.#count += 1;
  }

  get value(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }
}

class VmWindow {
  readonly #cpus = new Mean();
  readonly #ready = new Mean();
  readonly #disk = new Mean();
  readonly #network = new Mean();
  #peak = 0;
  #resident: number | null = null;
  #swapped: number | null = null;

  add(usedCpus: number, load: VmLoad): void {
    this.#cpus.add(usedCpus);
    this.#peak = Math.max(this.#peak, usedCpus);
    this.#resident = load.residentBytes ?? this.#resident;
    this.#swapped = load.swappedBytes ?? this.#swapped;
    this.#ready.add(load.readyCpus);
    this.#disk.add(sumOf(load.diskReadBytesPerSecond, load.diskWrittenBytesPerSecond));
    this.#network.add(sumOf(load.receivedBytesPerSecond, load.sentBytesPerSecond));
  }

  get sample(): VmSample {
    const more = {
      readyCpus: rounded(this.#ready.value, 1000),
      swappedBytes: rounded(this.#swapped, 1),
      diskBytesPerSecond: rounded(this.#disk.value, 1),
      networkBytesPerSecond: rounded(this.#network.value, 1),
    };
    return {
      ...{ cpus: this.#cpus.value ?? 0, peakCpus: this.#peak, residentBytes: this.#resident },
      ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== null && value > 0)),
    };
  }
}

/** Null where neither is known. */
const sumOf = (one: number | null | undefined, other: number | null | undefined): number | null =>
  one == null && other == null ? null : (one ?? 0) + (other ?? 0);
/** Samples are kept by the million: digits that say nothing are not. */
const rounded = (value: number | null, parts: number): number | null =>
  value === null ? null : Math.round(value * parts) / parts;

class Window {
  readonly #atMs: number;
  readonly #of = {
    usedCpus: new Mean(),
    stolenCpus: new Mean(),
    availableBytes: new Mean(),
    cpuPressure: new Mean(),
    memoryPressure: new Mean(),
  };
  readonly #vms = new Map<string, VmWindow>();

  constructor(atMs: number) {
    this.#atMs = atMs;
  }

  get atMs(): number {
    return this.#atMs;
  }

  add({ cpu, memory, vms }: HostLoad, counts: (vmId: string) => boolean): void {
    this.#of.usedCpus.add(cpu?.usedCpus);
    this.#of.stolenCpus.add(cpu?.stolenCpus);
    this.#of.cpuPressure.add(cpu?.pressurePercent);
    this.#of.availableBytes.add(memory?.availableBytes);
    this.#of.memoryPressure.add(memory?.pressurePercent);
    for (const load of vms) {
      if (load.pid === null || load.usedCpus === null || !counts(load.id)) continue;
      const vm = this.#vms.get(load.id) ?? new VmWindow();
      vm.add(load.usedCpus, load);
      this.#vms.set(load.id, vm);
    }
  }

  sample(host: string, resolution: Resolution["name"]): HostSample {
    const { usedCpus, stolenCpus, availableBytes, cpuPressure, memoryPressure } = this.#of;
    return {
      ...{ host, resolution, atMs: this.#atMs },
      ...{ usedCpus: usedCpus.value, stolenCpus: stolenCpus.value, availableBytes: availableBytes.value },
      ...{ cpuPressure: cpuPressure.value, memoryPressure: memoryPressure.value },
      vms: Object.fromEntries([...this.#vms].map(([id, vm]) => [id, vm.sample])),
    };
  }
}

export class LoadWindows {
  readonly #open = new Map<string, Window>();

  /**
   * @param counts VMs of which the host is believed
   * @returns the windows that are done with this report
   */
  add(host: string, load: HostLoad, nowMs: number, counts: (vmId: string) => boolean): HostSample[] {
    const done: HostSample[] = [];
    for (const { name, seconds } of resolutions) {
      const key = `${name} ${host}`;
      const atMs = Math.floor(nowMs / (seconds * 1000)) * seconds * 1000;
      const open = this.#open.get(key);
      // A clock that was set back begins again.
      if (open !== undefined && open.atMs !== atMs) {
        if (open.atMs < atMs) done.push(open.sample(host, name));
        this.#open.delete(key);
      }
      const window = this.#open.get(key) ?? new Window(atMs);
      window.add(load, counts);
      this.#open.set(key, window);
    }
    return done;
  }

  forget(host: string): void {
    for (const { name } of resolutions) this.#open.delete(`${name} ${host}`);
  }
}
