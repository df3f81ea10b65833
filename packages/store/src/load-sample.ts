/** What one host and its VMs used in one window of time. */
export interface VmLoadSample {
  cpus: number;
  peakCpus: number;
  residentBytes: number | null;
  /** Absent: nothing, or not told. */
  readyCpus?: number;
  swappedBytes?: number;
  diskBytesPerSecond?: number;
  networkBytesPerSecond?: number;
}

export interface LoadSampleRow {
  host: string;
  resolution: "fine" | "coarse";
  /** Start of the window, ms since 1970. */
  atMs: number;
  usedCpus: number | null;
  stolenCpus: number | null;
  availableBytes: number | null;
  cpuPressure: number | null;
  memoryPressure: number | null;
  vms: Record<string, VmLoadSample>;
}
