/**
 * The destination has the UEFI firmware that the VM boots by. QEMU sends its code and variables as memory, so a running VM needs
 * images of the same sizes there; whose they are makes no difference before the guest is started again.
 */
import { finding } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

export const firmwareAtRest: ColdRequirement = ({ vm, target }) => {
  if (vm.firmware === undefined) return [];
  const { secureBoot } = vm.firmware;
  if (target.uefi?.some((one) => one.secureBoot === secureBoot) === true) return [];
  return [finding("UEFI_FIRMWARE_MISSING", { vm: vm.name, host: target.name, secureBoot })];
};

export const firmware: Requirement = (facts) => {
  const { vm, source, target } = facts;
  const missing = firmwareAtRest(facts);
  if (vm.firmware === undefined || missing.length > 0) return missing;
  const { secureBoot } = vm.firmware;
  const [here, there] = [source, target].map(({ uefi }) =>
    uefi?.find((one) => one.secureBoot === secureBoot),
  );
  // The source may have lost its own since the VM was started: then the destination's QEMU finds out.
  if (here === undefined || there === undefined) return [];
  const [bytes, hostBytes] = [here, there].map(({ codeBytes, varsBytes }) => codeBytes + varsBytes) as [
    number,
    number,
  ];
  if (here.codeBytes === there.codeBytes && here.varsBytes === there.varsBytes) return [];
  return [
    finding("UEFI_FIRMWARE_DIFFERS", { vm: vm.name, from: source.name, host: target.name, bytes, hostBytes }),
  ];
};
