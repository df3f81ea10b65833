/** What one host and its VMs used in one window of time. */
export interface VmLoadSample {
  cpus: number;
  peakCpus: number;
  residentBytes: number | null;
}

export interface LoadSampleRow {
  host: string;
  resolution: "fine" | "coarse";
  /** Start of the window, ms since 1970. */
  atMs: number;
  usedCpus: number | null;
  availableBytes: number | null;
  cpuPressure: number | null;
  memoryPressure: number | null;
  vms: Record<string, VmLoadSample>;
}
