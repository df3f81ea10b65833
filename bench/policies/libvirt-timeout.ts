/** `virsh migrate --live --auto-converge --timeout 60`: throttling as QEMU does it, and after a minute the guest is suspended. */
import { autoConverge } from "./auto-converge.ts";
import type { Policy } from "./policy.ts";

const timeoutMs = 60_000;

export const libvirtTimeout: Policy = {
  name: "libvirt",
  after: "virsh with --auto-converge and --timeout 60, which then suspends the guest",
  downtimeMs: 300,
  everyMs: 1000,
  begin: () => {
    const throttle = autoConverge();
    return (view) => (view.atMs >= timeoutMs ? { do: "stop" } : throttle(view));
  },
};
