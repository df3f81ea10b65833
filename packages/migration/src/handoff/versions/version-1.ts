/** How version 1 called what is called otherwise since, and what it did not have. */
import type { EarlierVersion } from "./earlier-version.ts";

export const version1 = {
  toDestination: {
    renamed: { sourceQemuLost: "gone", sourceCleanedUp: "left" },
    /** It takes no notice of a message that it does not know, and waits. */
    absent: ["notUnderstood"],
  },
  toSource: {
    renamed: { postcopyReceiving: "pulling", streamLost: "broken" },
    absent: ["announced", "notUnderstood"],
  },
  sourceJournal: { renamed: { cleaningUp: "leaving" }, absent: [] },
  destinationJournal: { renamed: { postcopyReceiving: "pulling" }, absent: [] },
} as const satisfies EarlierVersion;
