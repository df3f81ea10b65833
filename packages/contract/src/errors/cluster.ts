/** Errors about the server, its database, hosts, join tokens, certificates, leases and tasks. */
import { define } from "./define.ts";

/** `since`: ISO 8601, null where it is not known. `freeInMs`: of a silent host's lease, from when it was asked for. */
interface LeaseHolderDetails {
  host: string;
  mode: string;
  since: string | null;
  freeInMs?: number | null;
}

function holderText({ host, mode, since, freeInMs }: LeaseHolderDetails): string {
  const told = [mode, ...(since === null ? [] : [`since ${since}`])];
  if (freeInMs != null) {
    told.push(`and silent: it will be free in ${String(Math.ceil(freeInMs / 1000))} s if it stays so`);
  }
  return `host ${host} (${told.join(", ")})`;
}

export const clusterErrors = {
  SERVER_NOT_INITIALISED: define<{ path: string }>(
    500,
    "after-fix",
    (d) => `There is no Godwit server in ${d.path}.`,
    () => "Create it with: godwit server init",
  ),
  SERVER_ALREADY_INITIALISED: define<{ path: string }>(
    409,
    "never",
    (d) => `${d.path} already holds a Godwit server with its certificate authority.`,
    () => "Start it with godwit server run, or choose another --data folder.",
  ),
  SERVER_ALREADY_RUNNING: define<{ path: string; pid: number }>(
    409,
    "after-fix",
    (d) => `A Godwit server already runs from ${d.path} (process ${String(d.pid)}).`,
    () => "Stop it first, or choose another --data folder.",
  ),
  DATABASE_NEWER: define<{ found: number; known: number }>(
    500,
    "after-fix",
    (d) => `The database has schema version ${String(d.found)}; this program knows up to ${String(d.known)}.`,
    () => "Run the newer Godwit that wrote it, or restore a backup made before the upgrade.",
  ),
  DATABASE_UNAVAILABLE: define<{ reason: string }>(
    503,
    "later",
    (d) => `The database does not answer: ${d.reason}.`,
    () => "Running VMs and moves go on. Check PostgreSQL; Godwit goes on by itself when it is back.",
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
    () => "Choose another name, or remove the old host first.",
  ),
  HOST_BUSY: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} still has VMs: ${d.vms.join(", ")}.`,
    () => "Move or stop them first.",
  ),
  HOST_UNREACHABLE: define<{ host: string; url: string; reason: string }>(
    503,
    "later",
    (d) => `Host ${d.host} does not answer at ${d.url}: ${d.reason}.`,
    (d) =>
      `Check that the host is up, that its agent runs (systemctl status godwit-agent on ${d.host}) and that the network between is open.`,
  ),
  TOKEN_INVALID: define<{ reason: "unknown" | "used" | "expired" }>(
    401,
    "after-fix",
    (d) =>
      ({
        unknown: "The join token is not one of this server's.",
        used: "The join token has already been used; a token joins one host.",
        expired: "The join token has expired.",
      })[d.reason],
    () => "Make a new one with: godwit host token",
  ),
  CERTIFICATE_INVALID: define<{ subject: string; reason: string }>(
    401,
    "after-fix",
    (d) => `The certificate of ${d.subject} is not accepted: ${d.reason}.`,
    () => "Join the host again with a new token.",
  ),
  DATASTORE_UNKNOWN: define<{ datastore: string; host?: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `There is no datastore ${d.datastore}${d.host === undefined ? "" : ` on host ${d.host}`}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known datastores, or add it to the agent's configuration.",
  ),
  DATASTORE_UNAVAILABLE: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) => `Datastore ${d.datastore} cannot be used on host ${d.host}: ${d.reason}.`,
    () => "Check that it is mounted and writable there.",
  ),
  NETWORK_UNKNOWN: define<{ network: string; host: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `Host ${d.host} has no port group ${d.network}${d.known.length > 0 ? `; it has ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known port groups, or add it to the agent's configuration.",
  ),
  NETWORK_BRIDGE_MISSING: define<{ bridge: string; interface: string }>(
    409,
    "after-fix",
    (d) => `There is no bridge ${d.bridge} on this host to connect ${d.interface} to.`,
    (d) => `Create the bridge ${d.bridge}, or name another in the agent's configuration (portGroups).`,
  ),
  NETWORK_INTERFACE_TAKEN: define<{ interface: string; bridge: string }>(
    409,
    "after-fix",
    (d) => `The network interface ${d.interface} exists already and is not a tap of QEMU's user.`,
    (d) => `Rename or remove it: ip link delete ${d.interface}`,
  ),
  LEASE_HELD: define<{ vm: string; holders: readonly LeaseHolderDetails[] }>(
    409,
    "later",
    (d) =>
      `The lease of VM ${d.vm} is held by ${d.holders.map(holderText).join(" and ") || "another host"}; only its holder may run the VM.`,
    (d) =>
      d.holders.some(({ freeInMs }) => freeInMs != null)
        ? "Wait until it is free, and ask again. Sooner only if you have made sure that the host is powered off: godwit vm lease break."
        : "If the VM runs there, use it there or move it. If that host is gone for good, first make sure that it is powered off: godwit vm lease break.",
  ),
  LEASE_NOT_HELD: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `Host ${d.host} does not hold the lease of VM ${d.vm}.`,
    () => "Only the holder can convert or release a lease.",
  ),
  LEASE_OVERTAKEN: define<{ vm: string; host: string; by: number }>(
    409,
    "later",
    (d) =>
      `A question of host ${d.host} for the lease of VM ${d.vm} came after a later one (${String(d.by)}) had been decided.`,
    () => "Nothing was changed by it. The agent asks again by itself.",
  ),
  LEASE_UNAVAILABLE: define<{ vm: string; reason: string }>(
    503,
    "later",
    (d) => `The lease of VM ${d.vm} could not be asked for: ${d.reason}.`,
    () =>
      "Nothing was started. Check that the server answers, and that the host reaches its storage (godwit host show).",
  ),
  LEASE_HOLDER_ALIVE: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `The lease of VM ${d.vm} is not broken: host ${d.host}, which holds it, is alive.`,
    (d) => `Stop the VM (godwit vm stop ${d.vm}) or move it; a lease is broken only when its host is off.`,
  ),
  LEASE_NOT_OF_HOST: define<{ vm: string; host: string; holders: readonly string[] }>(
    409,
    "never",
    (d) =>
      `The lease of VM ${d.vm} is not broken: host ${d.host} does not hold it; ${d.holders.length === 0 ? "nobody does" : `${d.holders.join(" and ")} does`}.`,
    (d) => `godwit vm lease show ${d.vm} tells who holds it.`,
  ),
  SANLOCK_UNAVAILABLE: define<{ reason: string }>(
    503,
    "later",
    (d) => `sanlock is of no use on this host: ${d.reason}.`,
    () =>
      "Install the package sanlock (godwit setup does), and start it: systemctl enable --now wdmd sanlock.",
  ),
  DATASTORE_LEASES_UNAVAILABLE: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) =>
      `Host ${d.host} has no leases on datastore ${d.datastore}, so it may run no VM from there: ${d.reason}`,
    () =>
      "Check the host's storage and its sanlock (systemctl status sanlock); the agent joins again by itself.",
  ),
  DESTINATION_LEASES_UNAVAILABLE: define<{ host: string; datastore: string; reason: string }>(
    503,
    "later",
    (d) =>
      `Host ${d.host} has no leases on datastore ${d.datastore}, so it may run no VM from there: ${d.reason}`,
    () =>
      "Check the host's storage and its sanlock (systemctl status sanlock); its agent joins again by itself.",
  ),
  HOST_WITHOUT_WATCHDOG: define<{ host: string; datastores: readonly string[] }>(
    409,
    "after-fix",
    (d) =>
      `No watchdog guards host ${d.host}: should it hang without its storage (${d.datastores.join(", ")}), its VMs may still run there when other hosts start them.`,
    () =>
      "Load the server's watchdog driver (without one: modprobe softdog), then let sanlock use it: systemctl enable --now wdmd sanlock.",
  ),
  TASK_UNKNOWN: define<{ task: string }>(
    404,
    "never",
    (d) => `There is no task ${d.task}.`,
    () => "godwit task list shows the tasks.",
  ),
  TASK_HOST_REMOVED: define<{ host: string }>(
    410,
    "never",
    (d) => `Host ${d.host}, which the task needs to hear from, was removed from the cluster.`,
    () => "What became of the VM there is not known: godwit vm lease show tells which host may run it.",
  ),
  TASK_NOT_CANCELLABLE: define<{ task: string; state: string; reason: string }>(
    409,
    "never",
    (d) => `Task ${d.task} (${d.state}) can no longer be cancelled: ${d.reason}.`,
    (d) => `godwit task show ${d.task} tells how it ended or goes on.`,
  ),
} as const;
