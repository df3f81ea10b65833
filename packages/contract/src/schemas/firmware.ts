/** What a VM boots by, where that is not the BIOS: UEFI (OVMF), whose variables are a file in the VM's folder. */
import { z } from "zod";

/** In `vm.json`; absent: the BIOS (SeaBIOS). */
export const firmwareSchema = z.strictObject({
  type: z.literal("uefi"),
  /** Only what is signed by the keys in its variables is booted. It needs the machine q35. */
  secureBoot: z.boolean(),
});
export type Firmware = z.infer<typeof firmwareSchema>;

/** Of a description. */
export const wishedFirmware = ({
  firmware,
  secureBoot = false,
}: {
  firmware?: "bios" | "uefi" | undefined;
  secureBoot?: boolean | undefined;
}): Firmware | undefined => (firmware === "uefi" ? { type: firmware, secureBoot } : undefined);

/** A build of the firmware that a host has. Its sizes are those of QEMU's memory for it, which cannot change in a move. */
export const uefiFactsSchema = z.object({
  secureBoot: z.boolean(),
  codeBytes: z.int().min(0),
  varsBytes: z.int().min(0),
});
export type UefiFacts = z.infer<typeof uefiFactsSchema>;

/** The variables of a new VM, as Debian's package `ovmf` has them on each host; with Secure Boot they have Microsoft's keys. */
export const nvramTemplate = ({ secureBoot }: { secureBoot: boolean }): string =>
  `/usr/share/OVMF/${secureBoot ? "OVMF_VARS_4M.ms.fd" : "OVMF_VARS_4M.fd"}`;

/** Of the firmware's variables, relative to the VM's datastore. */
export const nvramPath = (vm: string): string => `${vm}/nvram.fd`;
