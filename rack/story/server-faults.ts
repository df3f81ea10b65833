/** What happens to whole servers: power, reset, a kernel's panic, cables, clocks, full disks, want of memory. */
import { sleep } from "@godwit/system";
import type { Server } from "../src/server.ts";
import { sharedFolder } from "./shared-storage.ts";

/** In the words of `faults/phases.ts`; both are held at the source. */
export type CellPhase = "copying" | "final-state-sent";

interface Servers {
  source: Server;
  destination: Server;
  storage: Server;
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

const hourMs = 3_600_000;
const fullMs = 20_000;
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
  {
    name: "source-reset",
    stops: "source",
    fatal: ["copying", "final-state-sent"],
    inject: async ({ source }) => {
      await source.reset();
      return async () => {
        await source.booted();
      };
    },
  },
  {
    name: "source-clock-an-hour-ahead",
    stops: null,
    fatal: [],
    inject: async ({ source }) => {
      await source.setClock(hourMs);
      return async () => {
        await sleep(cutMs);
        await source.setClock();
      };
    },
  },
  {
    name: "storage-full",
    stops: null,
    fatal: [],
    // No room for anybody: the guest's writes wait, and what the agents note there is refused.
    inject: async ({ storage }) => {
      const file = `${sharedFolder}/filler`;
      await storage.shell(
        `fallocate -l $(($(stat -f -c '%f*%S' ${sharedFolder}))) ${file} || true; cat /dev/zero >>${file} || true; sync`,
      );
      return async () => {
        await sleep(fullMs);
        await storage.shell(`rm -f ${file}; sync`);
      };
    },
  },
  {
    name: "source-out-of-memory",
    stops: null,
    // The kernel's choice falls on the VM's QEMU.
    fatal: ["copying", "final-state-sent"],
    inject: async ({ source }) => {
      await source.shell(
        "for pid in $(pgrep -f 'qemu-system.*-uuid'); do echo 1000 >/proc/$pid/oom_score_adj; done; echo f >/proc/sysrq-trigger",
      );
      return async () => undefined;
    },
  },
];
