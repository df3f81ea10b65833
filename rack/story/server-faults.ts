/** What happens to whole servers: power, reset, a kernel's panic, cables. */
import { sleep } from "@godwit/system";
import type { Server } from "../src/server.ts";

/** In the words of `faults/phases.ts`; both are held at the source. */
export type CellPhase = "copying" | "final-state-sent";

interface Servers {
  source: Server;
  destination: Server;
}

export interface ServerFault {
  name: string;
  /** The server that does not answer until the harm is ended; null: all go on. */
  stops: keyof Servers | null;
  /** Phases in which the VM's only whole copy may go with it; in all others the VM must live. */
  fatal: readonly CellPhase[];
  /** Does the harm. @returns what ends it; a server is up again when that resolves */
  inject: (servers: Servers) => Promise<() => Promise<void>>;
}

const offMs = 5000;
const cutMs = 30_000;

export const serverFaults: readonly ServerFault[] = [
  {
    name: "migration-cable-cut-from-source",
    stops: null,
    fatal: [],
    inject: async ({ source }) => {
      await source.setSending("migration", false);
      return async () => {
        await sleep(cutMs);
        await source.setSending("migration", true);
      };
    },
  },
  {
    name: "destination-reset",
    stops: "destination",
    // It may have heard the commit a moment before.
    fatal: ["final-state-sent"],
    inject: async ({ destination }) => {
      await destination.reset();
      return async () => {
        await destination.booted();
      };
    },
  },
  {
    name: "source-power-cut",
    stops: "source",
    fatal: ["copying", "final-state-sent"],
    inject: async ({ source }) => {
      await source.powerOff();
      return async () => {
        await sleep(offMs);
        await source.powerOn();
        await source.booted();
      };
    },
  },
  {
    name: "destination-power-cut",
    stops: "destination",
    fatal: ["final-state-sent"],
    inject: async ({ destination }) => {
      await destination.powerOff();
      return async () => {
        await sleep(offMs);
        await destination.powerOn();
        await destination.booted();
      };
    },
  },
  {
    name: "source-kernel-panic",
    stops: "source",
    fatal: ["copying", "final-state-sent"],
    inject: async ({ source }) => {
      // By its setting it resets itself some seconds later.
      await source.panic();
      return async () => {
        await source.booted();
      };
    },
  },
];
