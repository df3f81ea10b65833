/** Images of disks that stay on their datastores, and why. */
import type { KeptReason } from "@godwit/contract";

const reasons: Readonly<Record<KeptReason, string>> = {
  asked: "",
  lun: " (a LUN)",
  taken: " (an image that the VM took over)",
  unknown: " (it may be an image that the VM took over: the VM is older than the note of that)",
};

interface Kept {
  path: string;
  datastore?: string | undefined;
  because: KeptReason;
}

/** @param home the VM's own datastore */
export const keptFiles = (kept: readonly Kept[], home: string): string[] =>
  kept.map(({ path, datastore, because }) => `${datastore ?? home}:${path}${reasons[because]}`);
