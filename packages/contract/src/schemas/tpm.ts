/** A VM's TPM 2.0: its keys and its memory that outlives a power-off are a folder of the VM's. */

/** Relative to the VM's datastore. It is kept while the VM is without its TPM, and goes with the VM. */
export const tpmFolder = (vm: string): string => `${vm}/tpm`;

/** What the emulator (swtpm) has in it: the TPM's state, once it was started for the first time, and a lock. */
export const tpmFiles = ["tpm2-00.permall", ".lock"] as const;
