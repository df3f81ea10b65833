/** The hosts' clocks are not apart: a guest whose clock is set after its move would get another time. It may move all the same. */
import { finding, mostClockApartMs } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const clocks: Requirement = ({ vm, source, sourceClock, destination: { name: host, report } }) => {
  const there = report?.clock;
  if (sourceClock === undefined || there === undefined) return [];
  const aheadMs = there.aheadMs - sourceClock.aheadMs;
  if (Math.abs(aheadMs) <= mostClockApartMs) return [];
  // Both as they were when the destination's was read.
  const fromAt = new Date(Date.parse(there.ownAt) + sourceClock.aheadMs).toISOString();
  const details = { vm: vm.name, from: source.name, fromAt, host, hostAt: there.otherAt, aheadMs };
  return [finding("HOSTS_CLOCKS_APART", details, "warning")];
};
