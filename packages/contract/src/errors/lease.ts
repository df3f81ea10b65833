/** Errors about leases: who may run a VM, and whether that can be found out. */
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
    told.push(`does not respond, lease free in ${String(Math.ceil(freeInMs / 1000))} s unless it returns`);
  }
  return `host ${host} (${told.join(", ")})`;
}

export const leaseErrors = {
  LEASES_TOO_MANY: define<{ host: string; most: number }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} has asked for leases of ${String(d.most)} VMs that this server does not know; more are not kept.`,
    () => "Register its VMs (godwit vm register), or remove the host.",
  ),
  LEASE_HELD: define<{ vm: string; holders: readonly LeaseHolderDetails[] }>(
    409,
    "later",
    (d) =>
      `The lease of VM ${d.vm} is held by ${d.holders.map(holderText).join(" and ") || "another host"}; only its holder may run the VM.`,
    (d) =>
      d.holders.some(({ freeInMs }) => freeInMs != null)
        ? `Wait until it is free, and try again. To do so earlier, first make sure that the host is powered off: godwit vm lease break ${d.vm} --host-is-off HOST.`
        : `If the VM runs there, use it there or move it. If that host is gone for good, first make sure that it is powered off: godwit vm lease break ${d.vm} --host-is-off HOST.`,
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
      `A request of host ${d.host} for the lease of VM ${d.vm} arrived after a later one (${String(d.by)}) had been answered.`,
    () => "It changed nothing. The agent sends a new request by itself.",
  ),
  LEASE_UNAVAILABLE: define<{ vm: string; reason: string }>(
    503,
    "later",
    (d) => `The lease of VM ${d.vm} could not be requested: ${d.reason}.`,
    () =>
      "Nothing was started or changed. Check that the server answers, and that the host reaches its storage (godwit host show).",
  ),
  /** `removed`: it holds the lease and is no host of the cluster any more. */
  /** `silent`: it renews its lease, and its agent does not answer: the VM can neither be stopped there nor moved. */
  LEASE_HOLDER_ALIVE: define<{ vm: string; host: string; removed?: boolean; silent?: boolean }>(
    409,
    "never",
    (d) =>
      `The lease of VM ${d.vm} is not broken: host ${d.host}, which holds it, is alive${d.removed === true ? ", though it was removed from the cluster" : d.silent === true ? " and renews it, though its agent does not answer" : ""}.`,
    (d) =>
      d.removed === true
        ? `Power ${d.host} off, and start the VM elsewhere (godwit vm start ${d.vm} --host HOST). To keep the VM running, join ${d.host} again under its name (godwit host token, then godwit host join on it).`
        : d.silent === true
          ? `Start the agent again (systemctl start godwit-agent on ${d.host}), and stop the VM or move it. Otherwise power ${d.host} off: its lease ends then, and the VM starts elsewhere (godwit vm start ${d.vm} --host HOST).`
          : `Stop the VM (godwit vm stop ${d.vm}) or move it; a lease is broken only when its host is off.`,
  ),
  LEASE_NOT_OF_HOST: define<{ vm: string; host: string; holders: readonly string[] }>(
    409,
    "never",
    (d) =>
      `The lease of VM ${d.vm} is not broken: host ${d.host} does not hold it; ${d.holders.length === 0 ? "no host does" : `${d.holders.join(" and ")} does`}.`,
    (d) => `godwit vm lease show ${d.vm} shows who holds it.`,
  ),
  HOST_NOT_FENCED: define<{ vm: string; host: string; reason: string }>(
    409,
    "later",
    (d) => `Host ${d.host} was not kept from writing to the disks of VM ${d.vm}: ${d.reason}.`,
    (d) => `Its lease becomes free by itself; godwit vm lease show ${d.vm} shows when.`,
  ),
  SANLOCK_UNAVAILABLE: define<{ reason: string }>(
    503,
    "later",
    (d) => `sanlock cannot be used on this host: ${d.reason}.`,
    () =>
      "Install the package sanlock (godwit setup does), and start it: systemctl enable --now wdmd sanlock.",
  ),
  SANLOCK_NOT_ASKED: define<{ reason: string }>(
    503,
    "later",
    (d) => `This host's sanlock could not be asked: ${d.reason}. That says nothing about its leases.`,
    () => "It is asked again. Free file descriptors or memory on this host.",
  ),
  DATASTORE_LEASES_UNAVAILABLE: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) =>
      `Host ${d.host} has no leases on datastore ${d.datastore}, so it may run no VM from there: ${d.reason.replace(/\.$/, "")}.`,
    () =>
      "Check the host's storage and its sanlock (systemctl status sanlock); the agent joins again by itself.",
  ),
  DESTINATION_LEASES_UNAVAILABLE: define<{ host: string; datastore: string; reason: string }>(
    503,
    "later",
    (d) =>
      `Host ${d.host} has no leases on datastore ${d.datastore}, so it may run no VM from there: ${d.reason.replace(/\.$/, "")}.`,
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
} as const;
