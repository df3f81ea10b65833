/** Errors about files that are uploaded to a datastore. */
import { define } from "./define.ts";

interface Place {
  datastore: string;
  path: string;
}

export const uploadErrors = {
  UPLOAD_REFUSED: define<Place & { reason: string }>(
    409,
    "after-fix",
    (d) => `Nothing is written to ${d.datastore}:${d.path}: ${d.reason}.`,
    (d) => `Name another place; what is there shows: godwit datastore browse ${d.datastore}`,
  ),
  UPLOAD_FAILED: define<Place & { reason: string }>(
    409,
    "later",
    (d) => `The upload to ${d.datastore}:${d.path} ended before all was written: ${d.reason}.`,
    () => "Nothing of it is left there. Upload it again.",
  ),
} as const;
