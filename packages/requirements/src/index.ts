/** Requirements: what must hold for a move, one file a requirement, and for a host that has VMs. Pure. */
export { healthParts, healthState } from "./host-health.ts";
export { ownHealth } from "./own-health.ts";
export { mayMove } from "./check-move.ts";
export { ordinaryMemoryBytes, qemuOverheadBytes } from "./checks/memory.ts";
export { canBeTried, requiredBitsPerSecond } from "./checks/migration-network.ts";
export { evcHost, pendingVms, runningVms } from "./evc-facts.ts";
export type { Destination, HostReport, PathTrial } from "./facts.ts";
export { fixesOf } from "./fixes.ts";
export { errorsFirst, hostAlarms, unlearnedForLong, vmAlarms } from "./host-alarms.ts";
export { outdatedQemus, reportAlarms, stoppedGuests } from "./report-alarms.ts";
export { requireCommonVersion, versionFindings } from "./version-findings.ts";
export { workingParts } from "./working-parts.ts";
export { judgeMove, type Source, type Verdict } from "./judge-move.ts";
export { memoryProblem, mustFit } from "./snapshot-fit.ts";
