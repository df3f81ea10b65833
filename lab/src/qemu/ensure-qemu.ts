/** Makes sure that a lab has a QEMU of 9.0 or later where that can be downloaded, and says which it has. */
import { GodwitError } from "@godwit/contract";
import { debianCodeName } from "@godwit/debian";
import { defaultQemu, describeQemu, type LabQemu } from "./qemus.ts";
import { unpackQemu } from "./unpacked.ts";

/** The first that copies an emulated guest's memory in several passes. */
const wantedMajor = 9;
const isWanted = ({ version }: LabQemu): boolean => Number(version.split(".")[0]) >= wantedMajor;

/** Whether `ensureQemu` has something to download. @throws PROGRAM_MISSING */
export const lacksNewQemu = async (): Promise<boolean> =>
  !isWanted(await defaultQemu()) && (await debianCodeName()) !== null;

/**
 * The best QEMU for labs. Where a newer one cannot be downloaded the machine's own is used, and that is said.
 * @throws PROGRAM_MISSING when the machine has none at all
 */
export async function ensureQemu(onStep: (text: string) => void): Promise<LabQemu> {
  const before = await defaultQemu();
  if (!(await lacksNewQemu())) return before;
  onStep(`downloading a newer QEMU for labs; installed is ${before.version}`);
  try {
    await unpackQemu();
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    onStep(`labs use ${describeQemu(before)}: ${error.message}`);
  }
  return await defaultQemu();
}
