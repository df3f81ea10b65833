/**
 * What is known of a pool when its VMs are placed: hosts, VMs with their load, rules, and what is wished for. Names are
 * unique among hosts, and among VMs. Nothing in here is read from a clock: ages are given in seconds.
 */
import type { LoadForecast } from "../load/forecast.ts";

export interface PoolHost {
  name: string;
  cores: number;
  /** For VMs. */
  memoryBytes: number;
  /** `open`: takes VMs. `closed`: keeps those that it has, and takes none. `leaving`: is to be emptied. */
  state: "open" | "closed" | "leaving";
  /** Rack, room: whatever fails at once. Undefined: the host is a domain of its own. */
  faultDomain?: string;
  maxVms?: number;
}

/** What the engine expects of a move. */
export interface MoveForecast {
  seconds: number;
  /** Part of the VM's CPU that it loses meanwhile. */
  slowdown: number;
  outageSeconds: number;
}

export interface PoolVm {
  name: string;
  /** Null: it is to be placed. */
  host: string | null;
  vcpus: number;
  /** What a host must have for it: the guest's memory and QEMU's own. */
  memoryBytes: number;
  /** Cores. Null: nothing is known yet, and half of its vCPUs are assumed. */
  load: LoadForecast | null;
  /** Memory that it touches. Null: all of it is assumed. */
  activeBytes: number | null;
  reservedCores?: number;
  limitCores?: number;
  /** Null: it is not running, and a change of its host costs nothing. */
  move: MoveForecast | null;
  /** Seconds since its last move, or its last failed attempt. */
  movedBefore?: number;
  /** Why too little is known of its load: only what must be moves it. */
  unmeasured?: string;
  /** Why it cannot move: a device of the host. It still counts where it is. */
  bound?: string;
  /** Hosts that cannot run it, and why. */
  excluded?: ReadonlyMap<string, string>;
}

export type Rule = { name: string; hard: boolean; vms: readonly string[] } & (
  | { kind: "keepTogether" }
  | { kind: "keepApart"; of: "host" | "faultDomain" }
  | { kind: "spread"; faultDomains: number }
  | { kind: "vmHost"; hosts: readonly string[]; where: "on" | "off" }
);

export interface Pool {
  hosts: readonly PoolHost[];
  vms: readonly PoolVm[];
  rules: readonly Rule[];
}

/** `happy`: VMs move only where somebody gains. `even`: hosts are to be used alike. */
export type Goal = "happy" | "even";
/** 1: only what rules and maintenance demand. 5: every gain is worth a move. */
export type Threshold = 1 | 2 | 3 | 4 | 5;

export interface PlanOptions {
  goal: Goal;
  threshold: Threshold;
  seed: number;
  /** How long the load is expected to stay as it is; a gain is counted for so long. */
  horizonSeconds: number;
  /** A VM that moved less than so long ago stays, unless a rule or maintenance moves it. */
  settleSeconds: number;
  /** The pool must survive the loss of any one host. */
  admission: boolean;
  maxMoves: number;
}

export const defaultOptions: PlanOptions = {
  goal: "happy",
  threshold: 3,
  seed: 1,
  horizonSeconds: 3600,
  settleSeconds: 3600,
  admission: true,
  maxMoves: Infinity,
};
