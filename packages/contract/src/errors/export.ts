/** Errors about VMs that are exported. */
import { define } from "./define.ts";

export const exportErrors = {
  EXPORT_PLACE_UNUSABLE: define<{ vm: string; place: string; reason: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} cannot be exported to ${d.place}: ${d.reason}.`,
    (d) => `Name another file, in a folder of the datastore: godwit vm export ${d.vm} DATASTORE:PATH.ova`,
  ),
  EXPORT_FAILED: define<{ vm: string; disk: string; reason: string }>(
    500,
    "later",
    (d) =>
      `VM ${d.vm} was not exported, and nothing is left of it: the image of disk ${d.disk} could not be converted: ${d.reason}.`,
    () => "Check the storage and the image, and export the VM again.",
  ),
} as const;
