/**
 * What hosts report, gathered into windows of time: of each host and VM the mean over a window, and of a VM's CPUs the
 * peak. A window is done when a report of a later one comes. Two resolutions: the last hour finely, a day coarsely.
 */
import type { HostLoad } from "@godwit/contract";

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

/** Of one VM in a window: CPUs on average and at most, and resident memory. */
export interface VmSample {
  cpus: number;
  peakCpus: number;
  residentBytes: number | null;
}

export interface HostSample {
  host: string;
  resolution: Resolution["name"];
  /** Start of the window, ms since 1970 by the server's clock. */
  atMs: number;
  usedCpus: number | null;
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

class Window {
  readonly #atMs: number;
  readonly #of = {
    usedCpus: new Mean(),
    availableBytes: new Mean(),
    cpuPressure: new Mean(),
    memoryPressure: new Mean(),
  };
  readonly #vms = new Map<string, { cpus: Mean; peak: number; resident: number | null }>();

  constructor(atMs: number) {
    this.#atMs = atMs;
  }

  get atMs(): number {
    return this.#atMs;
  }

  add({ cpu, memory, vms }: HostLoad, counts: (vmId: string) => boolean): void {
    this.#of.usedCpus.add(cpu?.usedCpus);
    this.#of.cpuPressure.add(cpu?.pressurePercent);
    this.#of.availableBytes.add(memory?.availableBytes);
    this.#of.memoryPressure.add(memory?.pressurePercent);
    for (const { id, pid, usedCpus, residentBytes } of vms) {
      if (pid === null || usedCpus === null || !counts(id)) continue;
      const vm = this.#vms.get(id) ?? { cpus: new Mean(), peak: 0, resident: null };
      vm.cpus.add(usedCpus);
      vm.peak = Math.max(vm.peak, usedCpus);
      vm.resident = residentBytes ?? vm.resident;
      this.#vms.set(id, vm);
    }
  }

  sample(host: string, resolution: Resolution["name"]): HostSample {
    const { usedCpus, availableBytes, cpuPressure, memoryPressure } = this.#of;
    return {
      ...{ host, resolution, atMs: this.#atMs },
      ...{ usedCpus: usedCpus.value, availableBytes: availableBytes.value },
      ...{ cpuPressure: cpuPressure.value, memoryPressure: memoryPressure.value },
      vms: Object.fromEntries(
        [...this.#vms].map(([id, { cpus, peak, resident }]) => [
          id,
          { cpus: cpus.value ?? 0, peakCpus: peak, residentBytes: resident },
        ]),
      ),
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
