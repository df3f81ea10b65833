/** The destination can emulate a TPM, where the VM has one; and the TPM of a VM that runs works. */
import { finding } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

export const tpmAtRest: ColdRequirement = ({ vm, target }) =>
  vm.tpm !== true || target.tpmEmulator === true
    ? []
    : [finding("TPM_UNAVAILABLE", { vm: vm.name, host: target.name })];

export const tpm: Requirement = (facts) => {
  const { vm, source, runtime } = facts;
  const ended = runtime.tpmEnded === true ? [finding("TPM_ENDED", { vm: vm.name, host: source.name })] : [];
  return [...ended, ...tpmAtRest(facts)];
};
