/** Errors of the power of hosts. */
import { define } from "./define.ts";

export const powerErrors = {
  HOST_POWER_UNSET: define<{ host: string }>(
    409,
    "after-fix",
    (d) => `The server cannot control the power of host ${d.host}: no controller is set for it.`,
    () => "Set its BMC or Wake-on-LAN: godwit host power set --help",
  ),
  /** The controller refuses, does not answer, or answers what is not understood. */
  HOST_POWER_FAILED: define<{ host: string; kind: string; reason: string }>(
    503,
    "later",
    (d) => `The power controller of host ${d.host} (${d.kind}) does not do what it is asked: ${d.reason}.`,
    (d) => `See how it is set and what it says: godwit host power show ${d.host}`,
  ),
  HOST_NOT_IN_MAINTENANCE: define<{ host: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is not powered off: it is not in maintenance.`,
    (d) => `Empty it first: godwit host maintenance enter ${d.host}`,
  ),
  HOST_RUNS_VMS: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} is not powered off: ${d.vms.length === 1 ? "VM" : "VMs"} ${d.vms.slice(0, 10).join(", ")}${d.vms.length > 10 ? ` and ${String(d.vms.length - 10)} more` : ""} ${d.vms.length === 1 ? "runs" : "run"} there by all that is known.`,
    (d) =>
      `Move them away (godwit host maintenance enter ${d.host}) or stop them. That a host is off is no proof that its VMs may start elsewhere: their leases are.`,
  ),
  /** Its controller can only turn it on. */
  HOST_POWER_CUT_UNSUPPORTED: define<{ host: string; kind: string }>(
    409,
    "never",
    (d) => `The power of host ${d.host} cannot be cut: its controller (${d.kind}) can only turn it on.`,
    (d) => `Have its agent shut it down: godwit host power off ${d.host}`,
  ),
  HOST_STAYED_ON: define<{ host: string; seconds: number }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} was told to shut down, and was not off ${String(d.seconds)} s later.`,
    (d) =>
      `See on its console what it waits for; or cut its power: godwit host power off ${d.host} --force. It stays in maintenance.`,
  ),
  /** Also an alarm. */
  HOST_DID_NOT_WAKE: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} was powered on and did not come back: ${d.reason}.`,
    (d) =>
      `See on its console how far it came, and try again: godwit host power on ${d.host}. Its pool does not power it off until then.`,
  ),
} as const;
