/** What the story tells, as it is written to `--json`. */

export interface ServerResult {
  name: string;
  debian: string;
  kernel: string;
  qemu: string;
  accelerator: string;
}

export interface MoveResult {
  from: string;
  to: string;
  accelerator: string;
  /** How often the memory was gone through. */
  passes: number;
  pauseMs: number | null;
  bytes: number;
  totalMs: number | null;
  /** How often the command was given: earlier ones failed and were undone. */
  attempts: number;
  /** Writes of the client that were acknowledged and are not there. */
  lost: number;
  /** Writes that were acknowledged while the story watched. */
  acknowledged: number;
  /** The longest time between two acknowledged writes during the move, ms. */
  writeGapMs: number;
}

/** A move that took another way than pre-copy to its end. */
export interface WayResult extends Omit<MoveResult, "accelerator" | "attempts"> {
  way: "post-copy" | "cancelled" | "backed-out";
  ended: string;
  /** Switches that took longer than the budget and were undone. */
  backOuts: number;
  problems: string[];
}

export interface CellResult {
  fault: string;
  phase: string;
  /** Where the VM ran when all was over, or that its host was dead. */
  outcome: "source" | "destination" | "dead-host";
  /** The most hosts that ran it at once, of all looks. */
  runners: number;
  lost: number;
  /** What users are told. */
  sentence: string;
  seconds: number;
  problems: string[];
}

export interface FencingResult {
  fault: string;
  /** From the harm on; null: not seen before the VM was started elsewhere. */
  endedAfterSeconds: number | null;
  resetAfterSeconds: number | null;
  startedAfterSeconds: number | null;
  lost: number;
  problems: string[];
}

/** Packages of another version installed under the running VM. */
export interface UpgradeResult {
  from: string;
  to: string;
  seconds: number;
  lost: number;
  acknowledged: number;
  writeGapMs: number;
  problems: string[];
}

export interface StoryResult {
  servers: ServerResult[];
  /** Where disks lay, in words. */
  storage: string[];
  moves: MoveResult[];
  ways: WayResult[];
  cells: CellResult[];
  fencing: FencingResult[];
  upgrade: UpgradeResult | null;
  /** On emulated servers, from bare ones; `install` null: they came with the packages. */
  seconds: { install: number | null; untilVm: number; whole: number };
  /** Whether CPUID in the guest stayed as it was. */
  cpuid: string;
  /** Why it did not come to its end. */
  brokeOff: string | null;
  failed: number;
}

/** Everything that should not be, in sentences. Pure. */
export function failuresOf({
  moves,
  ways,
  cells,
  fencing,
  upgrade,
  brokeOff,
}: Pick<StoryResult, "moves" | "ways" | "cells" | "fencing" | "upgrade" | "brokeOff">): string[] {
  const ofMoves = moves.flatMap(({ from, to, accelerator, lost }) => [
    ...(accelerator === "kvm"
      ? []
      : [`the move from ${from} to ${to} was under ${accelerator}, not under KVM`]),
    ...(lost === 0 ? [] : [`the move from ${from} to ${to} lost ${String(lost)} writes`]),
  ]);
  const ofWays = ways.flatMap(({ way, lost, problems }) => [
    ...problems.map((problem) => `${way}: ${problem}`),
    ...(lost === 0 ? [] : [`${way}: ${String(lost)} writes are lost`]),
  ]);
  const ofCells = cells.flatMap(({ fault, phase, runners, lost, problems }) => [
    ...problems.map((problem) => `${fault} in ${phase}: ${problem}`),
    ...(runners > 1 ? [`${fault} in ${phase}: the VM ran on ${String(runners)} hosts`] : []),
    ...(lost > 0 ? [`${fault} in ${phase}: ${String(lost)} writes are lost`] : []),
  ]);
  const ofFencing = fencing.flatMap(({ fault, lost, problems }) => [
    ...problems.map((problem) => `${fault}: ${problem}`),
    ...(lost > 0 ? [`${fault}: ${String(lost)} writes are lost`] : []),
  ]);
  const ofUpgrade = (upgrade === null ? [] : [upgrade]).flatMap(({ lost, problems }) => [
    ...problems.map((problem) => `upgrade: ${problem}`),
    ...(lost > 0 ? [`upgrade: ${String(lost)} writes are lost`] : []),
  ]);
  const ofStory = brokeOff === null ? [] : [`the story broke off: ${brokeOff}`];
  return [...ofMoves, ...ofWays, ...ofCells, ...ofFencing, ...ofUpgrade, ...ofStory];
}
