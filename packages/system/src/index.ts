/** The operating system: other programs, processes, durable files, undoing. */
export { cacheFolder } from "./cache-folder.ts";
export { openChecked, readCheckedOrNull, readTailOrNull } from "./checked-files.ts";
export { readFileOrNull, syncFolder, writeFileAtomic } from "./files.ts";
export { limitedAs } from "./limited.ts";
export {
  endProcess,
  identifyProcess,
  isAlive,
  isAliveOrUnknown,
  processArguments,
  signalProcess,
  type ProcessIdentity,
} from "./process.ts";
export { lendSecret } from "./lent-secret.ts";
export { mounted, mountFileSystem, mountsIn, unmountFileSystem, type Mounted } from "./mounts.ts";
export { withReserve } from "./reserve.ts";
export { listenInRange } from "./listen-in-range.ts";
export { openLog } from "./log-destination.ts";
export { runBounded, type BoundedEnd } from "./run-bounded.ts";
export { run, type RunOptions, type RunResult } from "./run.ts";
export { leastSpace, requireSpace } from "./space.ts";
export { UndoStack } from "./undo.ts";
export {
  cpuControlProblem,
  cpuLimitProperties,
  cpusOfMax,
  leaseUnit,
  limitableCpus,
  limitProperties,
  limitsProblem,
  limitUnit,
  limitUnitCpus,
  limitUnitMemory,
  weighUnit,
  outlivingProperties,
  problemOfLimits,
  systemdRuns,
  unitOfVm,
  vmUnit,
  type UnitLimits,
} from "./units.ts";
export { ensureUser, idsUnmapped, isMapped, userIds, type UserIds } from "./users.ts";
export { agentHello, ownHello } from "./hello.ts";
export { version } from "./version.ts";
export { aborted, sleep, until, Wakeup, within, type UntilOptions } from "./waits.ts";
