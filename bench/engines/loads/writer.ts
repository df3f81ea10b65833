/** The guest's own program changes its memory at a set rate, page after page, in turn. */
import { dirtyGuest, writtenBy, type Dirtying } from "@godwit/lab";
import type { Work } from "./load.ts";

const nothing: Dirtying = { mib: 0, mibPerSecond: 0, compressiblePercent: 0 };

export const writer = (what: Dirtying): Work => ({
  unit: "MiB",
  begin: async ({ labId, address }) => {
    await dirtyGuest(labId, address, what);
    return {
      done: () => writtenBy(labId, address),
      end: () => dirtyGuest(labId, address, nothing),
    };
  },
});
