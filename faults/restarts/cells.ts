/** The moments of a restart after a host's death, and which faults are put into each. */
import type { Fault } from "../fault.ts";
import { faults } from "../faults/index.ts";

/** `lease-held`: the dead host's lease is not free yet. `starting`: the VM's start elsewhere is under way. `started`: it has ended. */
export const moments = ["lease-held", "starting", "started"] as const;
export type Moment = (typeof moments)[number];

export interface RestartCell {
  moment: Moment;
  fault: Fault;
}

/** The dead host boots again, with its leases of before. */
const deadHostReturns: Fault = {
  name: "dead-host-returns",
  inject: async ({ lab, source }) => {
    await lab.lab.host(source).powerOn();
    return () => Promise.resolve();
  },
};

/** The destination is where the VM is started again; before its start nobody is. */
const names: Readonly<Record<Moment, readonly string[]>> = {
  "lease-held": ["kill-server", "stop-server", "kill-postgres", "dead-host-returns"],
  starting: [
    "kill-server",
    "kill-postgres",
    "kill-destination-agent",
    "stop-destination-agent",
    "dead-host-returns",
  ],
  started: ["kill-server", "kill-destination-qemu", "destination-host-gone", "dead-host-returns"],
};

export function restartCells(): RestartCell[] {
  const all = [...faults, deadHostReturns];
  return moments.flatMap((moment) =>
    names[moment].map((name) => {
      const fault = all.find((one) => one.name === name);
      if (fault === undefined) throw new Error(`there is no fault ${name}`);
      return { moment, fault };
    }),
  );
}
