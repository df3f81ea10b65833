/** All faults of the campaign. */
import type { Fault } from "./fault.ts";
import { hostFaults } from "./hosts.ts";
import { processFaults } from "./processes.ts";
import { storageFaults } from "./storage.ts";
import { linkFaults } from "./links.ts";

/** Nothing is done: what the same observation says of a move that is left alone. */
const none: Fault = { name: "none", lastsMs: null, begin: async () => undefined };

export const faults: readonly Fault[] = [
  none,
  ...processFaults,
  ...linkFaults,
  ...storageFaults,
  ...hostFaults,
];
