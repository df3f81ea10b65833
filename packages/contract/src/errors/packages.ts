/** Errors about the distribution's packages. */
import { define } from "./define.ts";

export const packageErrors = {
  PACKAGES_UNAVAILABLE: define<{ names: string[]; reason: string }>(
    503,
    "after-fix",
    (d) => `Debian's packages ${d.names.join(", ")} could not be downloaded: ${d.reason}`,
    () =>
      "Check the network and apt's sources (apt-get update as root must succeed); downloaded packages are kept, so that later runs need no network.",
  ),
} as const;
