/** QEMU by itself, with nothing set: 300 ms, no throttling, no end. A comparison needs one: whoever waits gives up after half an hour. */
import type { Policy } from "./policy.ts";

export const qemuDefault: Policy = {
  name: "qemu",
  after: "QEMU's defaults: switches below 300 ms, goes on for ever else",
  downtimeMs: 300,
  everyMs: 1000,
  begin: () => (view) => (view.atMs > 1_800_000 ? { do: "abort", because: "half an hour" } : { do: "goOn" }),
};
