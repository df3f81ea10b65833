/** VMs stay where they were started: with all hosts at full power, or with the power that each needs. */
import { firstFit, type Policy } from "../policy.ts";

const still = { first: firstFit, round: () => [] };
export const npa: Policy = { ...still, name: "npa", fullPower: true };
export const dvfs: Policy = { ...still, name: "dvfs" };
