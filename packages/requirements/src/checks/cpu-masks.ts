/** What the VM's own masks ask of a move: bits that must be alike on both hosts, or must be so at the destination. */
import { cpuOf, layerOf, maskVendorOf, moveFindings, parseMasks } from "@godwit/cpu";
import type { Requirement } from "../facts.ts";

export const cpuMasks: Requirement = ({ vm, source, target }) => {
  const { masks } = vm.cpuWish ?? {};
  if (masks === undefined || source.cpu.report === null || target.cpu.report === null) return [];
  const parsed = parseMasks(Object.entries(masks));
  const from = cpuOf(source.cpu.report, source.name);
  const to = cpuOf(target.cpu.report, target.name);
  const vendor = maskVendorOf(from.vendor);
  return vendor === null ? [] : moveFindings(layerOf(parsed, vendor), parsed, from, to);
};
