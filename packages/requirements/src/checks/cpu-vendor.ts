/**
 * The destination's CPU is of the vendor that the guest knows its own to be of. Instructions, registers and what
 * a guest's kernel does for them differ between vendors beyond anything that CPUID tells.
 */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const cpuVendor: Requirement = ({ vm, source, target }) => {
  const { vendor } = vm.cpu;
  if (vendor === undefined) return [];
  const hostVendor = target.cpu.report?.vendor ?? target.cpu.vendor;
  const objects = { vm: vm.name, from: source.name, host: target.name };
  if (hostVendor === "" || hostVendor === "unknown")
    return [finding("DESTINATION_CPU_UNDETERMINED", { ...objects, what: "the vendor of its CPU" })];
  if (hostVendor === vendor) return [];
  return [finding("DESTINATION_CPU_VENDOR_DIFFERS", { ...objects, vendor, hostVendor })];
};
