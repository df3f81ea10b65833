/**
 * A strategy: how a VM's memory gets to the destination, and when the guest goes over. Each is one file in this
 * folder, and all that is particular to it stands there: what it requires, how both QEMUs are set, when to switch,
 * what commits the move. Who runs a move asks the strategy and never reads its name.
 */
import type { Finding, MoveOrder, Objective } from "@godwit/contract";
import type { CopyStep, QemuSettings } from "../copy-decision.ts";
import { stalledForMs, watchSending, type CopySample, type CopyState } from "../copy.ts";

export type {
  CopyDecision,
  CopyStep,
  QemuCapability,
  QemuParameter,
  QemuSettings,
} from "../copy-decision.ts";

export type StrategyName = "auto" | "auto-precopy" | "precopy" | "single-pass" | "postcopy";

/** What a requirement of a strategy looks at, beyond what every move requires. */
export interface StrategyFacts {
  vm: string;
  destination: {
    host: string;
    /** Why QEMU there cannot serve page faults of its guest itself (userfaultfd); null: it can, or nobody knows. */
    postcopyUnavailable: string | null;
  };
}

/** What QEMU gives a copy to work with. */
export interface CopyLimits {
  /** Passes over the memory after which its copy can be trusted; Infinity: any number. See `repeatedPassesLose`. */
  readonly trustedPasses: number;
  /** What the move may cost its VM, where that chooses the course; null: the strategy was asked for by its name. */
  readonly objective: Objective | null;
}

export interface Strategy {
  readonly name: StrategyName;
  /** Findings when the strategy cannot be used between these hosts; empty when it can. */
  requires(facts: StrategyFacts): Finding[];
  /** Settings of the two QEMUs; also what must be off, since an earlier move of the process may have left it on. */
  sourceSettings(order: Pick<MoveOrder, "bandwidthBytesPerSecond">, limits: CopyLimits): QemuSettings;
  readonly destinationSettings: QemuSettings;
  /** What a refusal of `destinationSettings` by QEMU means; null: just that. */
  readonly refusedAs: "POSTCOPY_UNAVAILABLE" | null;
  /** @param atMs of the caller's monotonic clock */
  begin(maxOutageMs: number, atMs: number, limits: CopyLimits): CopyState;
  decide(state: CopyState, sample: CopySample): CopyStep;
  /** Whether QEMU stops the guest by itself at the end of the copy, so that the budget covers QEMU's last step too. */
  qemuStopsGuest(state: CopyState): boolean;
  /** Whether the guest may run at the destination before all its memory is there. From then on each side needs the other. */
  readonly splitsMemory: boolean;
  /**
   * What lets the source commit: QEMU's word that everything arrived, or also the destination's word that its guest
   * can run though memory is missing.
   */
  readonly commitsOn: readonly ("completed" | "destinationReady")[];
}

/** What every move needs: an acknowledgement of the load, no image locks before `cont`, events, a last veto. */
export const commonCapabilities = {
  "return-path": true,
  "late-block-activate": true,
  events: true,
  "pause-before-switchover": true,
  "validate-uuid": true,
} as const satisfies QemuSettings["capabilities"];

/** Of a destination that lets its guest run with all its memory only. */
export const completeMemoryDestination: QemuSettings = {
  capabilities: { ...commonCapabilities, "postcopy-ram": false, "postcopy-blocktime": false },
  parameters: {},
};

/** A copy of which nothing has got through for long is over; of any other, `decide` decides. */
export function unlessStalled(
  before: CopyState,
  sample: CopySample,
  decide: (state: CopyState) => CopyStep,
): CopyStep {
  const state = watchSending(before, sample);
  const forMs = stalledForMs(state, sample);
  return forMs === null ? decide(state) : { state, decision: { kind: "stalled", forMs } };
}

/** Larger than any link: QEMU's default of 128 MiB/s would be the ceiling. */
const unlimitedBytesPerSecond = 2 ** 40;

/**
 * Parameters of every source. @param downtimeLimitMs below this expected pause QEMU stops the guest by itself; 0: at
 * the end of the first pass, before a second one begins; 1: only when next to nothing is left, so that the agent
 * chooses the moment
 */
export const sourceParameters = (
  { bandwidthBytesPerSecond }: Pick<MoveOrder, "bandwidthBytesPerSecond">,
  downtimeLimitMs: 0 | 1,
): QemuSettings["parameters"] => ({
  ...bandwidthParameters(bandwidthBytesPerSecond),
  "downtime-limit": downtimeLimitMs,
});

/** The ceiling of a copy, which QEMU also changes while it runs. @param bytesPerSecond null: what the link gives */
export const bandwidthParameters = (bytesPerSecond: number | null): QemuSettings["parameters"] => ({
  "max-bandwidth": Math.floor(bytesPerSecond ?? unlimitedBytesPerSecond),
  "max-postcopy-bandwidth": Math.floor(bytesPerSecond ?? 0),
});
