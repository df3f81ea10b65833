/** A few cells of the fault campaign; `npm run faults` runs them all. */
import { afterAll, expect, test } from "vitest";
import { Campaign } from "../../faults/campaign.ts";
import { shortPlan } from "../../faults/plan.ts";

const campaign = new Campaign({
  qemu: null,
  keep: null,
  onTrouble: (text) => {
    console.error(text);
  },
});
afterAll(async () => {
  await campaign[Symbol.asyncDispose]();
});

test.for(shortPlan().map((cell) => [cell.phase, cell.fault.name, cell] as const))(
  "%s, %s: the VM runs on one host or is known to be lost, and nothing acknowledged is missing",
  async ([, , cell]) => {
    expect(await campaign.cell(cell)).toMatchObject({ runners: 1, lost: 0, duplicated: 0, problems: [] });
  },
);
