/** Errors about hosts, their join tokens and certificates. */
import { define } from "./define.ts";

export const hostErrors = {
  HOST_OF_ANOTHER_CLUSTER: define<{ host: string; authority: string; given: string }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} belongs to the cluster of another certificate authority (SHA-256 ${d.authority.slice(0, 16)}…) than the token's server has (${d.given.slice(0, 16)}…).`,
    () =>
      "If that cluster's server is lost and this one takes its place: godwit host join --adopt --token TOKEN. VMs run on.",
  ),
  /** An alarm. */
  HOST_CONNECTION_UNSTEADY: define<{ host: string; breaks: number; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `The connection to host ${d.host} broke off ${String(d.breaks)} times within a minute, last because ${d.reason}.`,
    (d) => `See what its agent says: journalctl -u godwit-agent on ${d.host}; and test the network to it.`,
  ),
  /** An alarm. `parts`: what does not work, each with its evidence, the severe ones first. */
  HOST_UNHEALTHY: define<{ host: string; parts: string[]; severe: boolean }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} ${d.severe ? "may fail at any time" : "is not well"}: ${d.parts.slice(0, 4).join("; ")}${d.parts.length > 4 ? `; and ${String(d.parts.length - 4)} more` : ""}.`,
    (d) => `Move its VMs away before it fails: godwit host maintenance enter ${d.host}. Then repair it.`,
  ),
  /** A VM is to come to such a host. */
  DESTINATION_UNHEALTHY: define<{ host: string; parts: string[] }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is not well: ${d.parts.slice(0, 4).join("; ")}.`,
    (d) => `Choose another host, or repair it first: godwit host show ${d.host}`,
  ),
  HOST_UNKNOWN: define<{ host: string; known: string[] }>(
    404,
    "never",
    (d) => `There is no host ${d.host}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "godwit host list shows the hosts; godwit host join adds one.",
  ),
  HOST_EXISTS: define<{ host: string }>(
    409,
    "never",
    (d) => `A host ${d.host} has already joined.`,
    (d) =>
      `If it is that host itself, with another address or without its certificates, it joins again under its name: godwit host token --rejoin ${d.host}. Otherwise choose another name.`,
  ),
  /** `silent`: it does not answer, and nothing can be moved away from it. */
  HOST_BUSY: define<{
    host: string;
    running: string[];
    stopped: string[];
    tasks: string[];
    silent?: boolean;
  }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} is not removed: ${[
        ...(d.silent === true ? ["it does not answer"] : []),
        ...(d.running.length > 0
          ? [d.silent === true ? `it ran ${vmsNamed(d.running)} last` : `it runs ${vmsNamed(d.running)}`]
          : []),
        ...(d.stopped.length > 0 ? [`it is the host of ${vmsNamed(d.stopped)}, stopped`] : []),
        ...(d.tasks.length > 0
          ? [`${d.tasks.length === 1 ? "task" : "tasks"} ${d.tasks.join(", ")} under way need it`]
          : []),
      ].join("; ")}.`,
    (d) =>
      [
        ...(d.tasks.length > 0 ? ["Wait for the tasks (godwit task watch TASK) or cancel them."] : []),
        ...(d.silent === true
          ? [
              `Bring it back and move its VMs away (godwit host maintenance enter ${d.host}). If it is powered off for good: godwit host remove ${d.host} --force; its VMs can be started on other hosts then.`,
            ]
          : []),
        ...(d.silent !== true && d.running.length + d.stopped.length > 0
          ? [`Move all VMs to other hosts: godwit host maintenance enter ${d.host}.`]
          : []),
        ...(d.stopped.length > 0
          ? [
              "A stopped VM can also be deleted (godwit vm delete), or leave the inventory with its files kept (godwit vm unregister).",
            ]
          : []),
      ].join(" "),
  ),
  HOST_ALIVE: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} is not removed by force: its agent answers${d.vms.length > 0 ? `, and it runs ${vmsNamed(d.vms)}` : ""}. Force is for a host that is powered off.`,
    (d) =>
      `Move its VMs away (godwit host maintenance enter ${d.host}) or stop them, and remove it without --force; or power it off first.`,
  ),
  HOST_UNREACHABLE: define<{ host: string; url: string; reason: string }>(
    503,
    "later",
    (d) => `Host ${d.host} does not answer at ${d.url}: ${d.reason}.`,
    (d) =>
      `Check that the host is up, that its agent runs (systemctl status godwit-agent on ${d.host}) and that the network between is open.`,
  ),
  TOKEN_INVALID: define<{ reason: "unknown" | "used" | "expired" | "of another host" }>(
    401,
    "after-fix",
    (d) =>
      ({
        unknown: "The join token is not one of this server's.",
        used: "The join token has already been used; a token joins one host.",
        expired: "The join token has expired.",
        "of another host": "The join token is for another host, which may join again with it.",
      })[d.reason],
    () => "Create a new one with: godwit host token",
  ),
  TOKENS_TOO_MANY: define<{ most: number }>(
    409,
    "later",
    (d) => `There are ${String(d.most)} join tokens that have not been used; more are not kept.`,
    () => "Use them, or wait until they expire.",
  ),
  CERTIFICATE_EXPIRED: define<{ host: string; endedAt: string; now: string }>(
    401,
    "after-fix",
    (d) =>
      `The certificate of host ${d.host} ended at ${d.endedAt}, and it is ${d.now} now: the host was away for too long to renew it.`,
    (d) =>
      `Join the host again; its VMs run on: godwit host token --rejoin ${d.host}, then on the host godwit host join --token TOKEN, and restart its agent. If one of the two times is wrong, set that clock.`,
  ),
  HOST_CERTIFICATE_ENDS: define<{ host: string; endsAt: string }>(
    409,
    "after-fix",
    (d) => `The certificate of host ${d.host} ends at ${d.endsAt} and was not renewed yet.`,
    (d) =>
      `The agent of ${d.host} renews it by itself while it reaches the server; its log says why it does not.`,
  ),
  CERTIFICATE_INVALID: define<{ subject: string; reason: string }>(
    401,
    "after-fix",
    (d) => `The certificate of ${d.subject} is not accepted: ${d.reason}.`,
    () => "Join the host again with a new token.",
  ),
} as const;

const vmsNamed = (vms: readonly string[]): string =>
  `${vms.length === 1 ? "VM" : "VMs"} ${vms.slice(0, 10).join(", ")}${vms.length > 10 ? ` and ${String(vms.length - 10)} more` : ""}`;
