/** The shared storage takes no writes for 5 s: a frozen file system, in which whoever writes waits. */
import type { Fault } from "./fault.ts";

export const storageFaults: readonly Fault[] = [
  {
    name: "storage frozen 5 s",
    lastsMs: 5000,
    begin: async ({ lab }) => {
      await lab.freezeStorage();
    },
    end: async ({ lab }) => {
      await lab.thawStorage();
    },
  },
];
