/** Requirements: what must hold for a move, one file a requirement. Pure. */
export { checkMove, checkRelocation, mayMove } from "./check-move.ts";
export { qemuOverheadBytes } from "./checks/memory.ts";
export { requiredBitsPerSecond } from "./checks/migration-network.ts";
export type { Destination, HostReport, MoveFacts } from "./facts.ts";
