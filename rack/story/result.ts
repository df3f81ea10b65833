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
  /** How far the guest's clock was ahead of the destination's after it. */
  clockAheadMs: number;
}

/** As an emulated server's answers allow it to be measured. A clock that a pause left behind is far more wrong. */
export const isClockRight = (aheadMs: number): boolean => Math.abs(aheadMs) <= 1000;

/** A move that took another way than pre-copy to its end. */
export interface WayResult extends Omit<MoveResult, "accelerator" | "attempts" | "clockAheadMs"> {
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

/** A host in trouble whose storage kept it out, while its VM was started elsewhere. */
export interface TakeoverResult {
  fault: string;
  /** From the harm on: when the VM's QEMU was seen to be gone from its host; null: nobody could be asked there, or it was not. */
  endedAfterSeconds: number | null;
  /** From the harm on: when the VM ran on the other host. */
  startedAfterSeconds: number | null;
  /** Writes of the host in trouble that the storage refused, as its kernel or the storage tells. */
  refused: number;
  /** The most hosts with a QEMU of it whose vCPUs ran, of all looks after it was over. */
  runners: number;
  lost: number;
  acknowledged: number;
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
  /** Between the steps, while versions differ. */
  moves: MoveResult[];
  problems: string[];
}

/** A pool of two processor generations. */
export interface EvcResult {
  /** The pool's mode. */
  mode: string;
  /** The processor of each host. */
  processors: Record<string, string>;
  /** Codes of what forbade the move to the older host before there was the pool. */
  refusals: string[];
  /** Codes of what forbade the pool while the VM ran with more than its mode. */
  poolRefusals: string[];
  problems: string[];
}

/** A VM on a port group with a VLAN. */
export interface TaggedResult {
  vlan: number;
  moves: MoveResult[];
  problems: string[];
}

/** A host whose kernel had no KVM for a while. */
export interface WithoutKvmResult {
  host: string;
  /** Codes of what forbade the move there. */
  refusals: string[];
  problems: string[];
}

/** What the memory writer in the guest says. */
export interface KeptMemory {
  /** The guest's MemTotal. */
  totalKib: number;
  /** That are kept. */
  pages: number;
  /** Of them, in memory that the guest did not have when it was powered on: above 4 GiB. */
  added: number;
  /** Since they are kept. */
  written: number;
  /** Pages that hold something else than was written to them last. */
  wrong: number;
}

/** Memory that was added while the VM ran. */
export interface MemoryGrowthResult {
  moves: MoveResult[];
  /** What the guest had: at its start, after each growth, and after a restart. */
  guestKib: number[];
  /** What it kept in memory after the last move; null: it did not come to that. */
  kept: KeptMemory | null;
  problems: string[];
}

/** A VM on a switch whose uplink is a bond. */
export interface BondResult {
  moves: MoveResult[];
  /** From the cable's end on, until there was the alarm; null: it did not come. */
  degradedAfterSeconds: number | null;
  /** While one card after the other was in use. */
  lost: number;
  acknowledged: number;
  problems: string[];
}

/** A VM whose QEMU is confined by its profile. */
export interface AppArmorResult {
  moves: MoveResult[];
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
  takeovers: TakeoverResult[];
  upgrade: UpgradeResult | null;
  evc: EvcResult | null;
  tagged: TaggedResult | null;
  bond: BondResult | null;
  appArmor: AppArmorResult | null;
  memoryGrowth: MemoryGrowthResult | null;
  withoutKvm: WithoutKvmResult | null;
  /** What does not hold of a limit of the VM's CPUs. */
  cpuLimit: string[];
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
  takeovers,
  upgrade,
  evc,
  tagged,
  bond,
  cpuLimit,
  appArmor,
  memoryGrowth,
  withoutKvm,
  brokeOff,
}: Omit<StoryResult, "servers" | "storage" | "seconds" | "cpuid" | "failed">): string[] {
  const ofMoves = [
    ...moves,
    ...(upgrade?.moves ?? []),
    ...(tagged?.moves ?? []),
    ...(bond?.moves ?? []),
    ...(appArmor?.moves ?? []),
    ...(memoryGrowth?.moves ?? []),
  ].flatMap(({ from, to, accelerator, lost, clockAheadMs }) => [
    ...(accelerator === "kvm"
      ? []
      : [`the move from ${from} to ${to} was under ${accelerator}, not under KVM`]),
    ...(lost === 0 ? [] : [`the move from ${from} to ${to} lost ${String(lost)} writes`]),
    ...(isClockRight(clockAheadMs)
      ? []
      : [`after the move from ${from} to ${to} the guest's clock was ${String(clockAheadMs)} ms ahead`]),
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
  const ofFencing = [...fencing, ...takeovers].flatMap(({ fault, lost, problems }) => [
    ...problems.map((problem) => `${fault}: ${problem}`),
    ...(lost > 0 ? [`${fault}: ${String(lost)} writes are lost`] : []),
  ]);
  const ofUpgrade = (upgrade === null ? [] : [upgrade]).flatMap(({ lost, problems }) => [
    ...problems.map((problem) => `upgrade: ${problem}`),
    ...(lost > 0 ? [`upgrade: ${String(lost)} writes are lost`] : []),
  ]);
  const ofEvc = (evc?.problems ?? []).map((problem) => `evc: ${problem}`);
  const ofTagged = (tagged?.problems ?? []).map((problem) => `tagged: ${problem}`);
  const ofBond = (bond === null ? [] : [bond]).flatMap(({ lost, problems }) => [
    ...problems.map((problem) => `bond: ${problem}`),
    ...(lost > 0 ? [`bond: ${String(lost)} writes are lost`] : []),
  ]);
  const ofCpuLimit = cpuLimit.map((problem) => `CPU limit: ${problem}`);
  const ofAppArmor = (appArmor?.problems ?? []).map((problem) => `AppArmor: ${problem}`);
  const ofMemoryGrowth = (memoryGrowth?.problems ?? []).map((problem) => `added memory: ${problem}`);
  const ofWithoutKvm = (withoutKvm?.problems ?? []).map((problem) => `without KVM: ${problem}`);
  const ofStory = brokeOff === null ? [] : [`the story broke off: ${brokeOff}`];
  return [
    ...ofMoves,
    ...ofWays,
    ...ofCells,
    ...ofFencing,
    ...ofUpgrade,
    ...ofEvc,
    ...ofTagged,
    ...ofBond,
    ...ofCpuLimit,
    ...ofAppArmor,
    ...ofMemoryGrowth,
    ...ofWithoutKvm,
    ...ofStory,
  ];
}
