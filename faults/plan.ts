/** Which cells there are, and the few of them that are run on every change. */
import type { PlannedCell } from "./campaign.ts";
import { faults } from "./faults/index.ts";
import { phases, type Phase } from "./phases.ts";

/** Every fault in every phase in which there is something to harm. */
export function plan(): PlannedCell[] {
  return phases.flatMap((phase) =>
    faults.filter(({ impossible = [] }) => !impossible.includes(phase)).map((fault) => ({ phase, fault })),
  );
}

/** Around the switch, where a mistake would run the VM twice or nowhere; and one fault of each family. */
const short: readonly (readonly [Phase, string])[] = [
  ["prepared", "full-destination"],
  ["final-state-sent", "full-source"],
  ["copying", "kill-destination-qemu"],
  ["stopped", "kill-source-agent"],
  ["final-state-sent", "cut-link"],
  ["final-state-sent", "kill-source-qemu"],
  ["committed", "kill-destination-agent"],
  ["committed", "destination-host-gone"],
  ["running", "kill-server"],
  ["cleaning", "storage-unreachable"],
];

export function shortPlan(): PlannedCell[] {
  return short.map(([phase, name]) => {
    const fault = faults.find((one) => one.name === name);
    if (fault === undefined) throw new Error(`there is no fault ${name}`);
    return { phase, fault };
  });
}
