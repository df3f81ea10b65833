/** Errors about EVC modes and pools, and findings that keep a host or a VM out of a pool. */
import { define } from "./define.ts";

export const evcErrors = {
  EVC_MODE_UNKNOWN: define<{ mode: string; near: string[] }>(
    404,
    "never",
    (d) => `There is no EVC mode ${d.mode}.`,
    (d) => `Choose one of ${d.near.join(", ")}; godwit cpu evc list shows all.`,
  ),
} as const;
